package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// A SecretRef says where a secret comes from. Neither it nor the secret is
// ever shown: all that prints or encodes it says where from, and no more.
type SecretRef struct {
	Kind  SecretKind
	Value string // name of the credential, path of the file, name of the variable
}

// A SecretKind is a source of secrets.
type SecretKind string

const (
	Credential SecretKind = "credential" // a systemd credential of the service
	File       SecretKind = "file"       // an absolute path
	Env        SecretKind = "env"        // a variable of the daemon's environment
)

// String returns the kind with the rest blotted out.
func (s SecretRef) String() string { return string(s.Kind) + ":***" }

// GoString is String, for %#v.
func (s SecretRef) GoString() string { return s.String() }

// MarshalText is String, for JSON and logs.
func (s SecretRef) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// maxSecret is the size in bytes that systemd allows all credentials together.
const maxSecret = 1 << 20

// Resolve reads the secret. One newline at its end is not a part of it, since
// editors and echo put one there. The error never has a part of the secret.
func (s SecretRef) Resolve() (string, error) {
	switch s.Kind {
	case Credential:
		dir := os.Getenv("CREDENTIALS_DIRECTORY")
		if dir == "" {
			return "", fmt.Errorf("cannot read credential %q: this process was given none; add LoadCredential=%s:… to its systemd unit", s.Value, s.Value)
		}
		secret, err := readSecret(filepath.Join(dir, s.Value))
		if errors.Is(err, os.ErrNotExist) {
			err = fmt.Errorf("there is none of that name; add LoadCredential=%s:… to the systemd unit", s.Value)
		}
		if err != nil {
			return "", fmt.Errorf("cannot read credential %q: %w", s.Value, err)
		}
		return secret, nil
	case File:
		secret, err := readSecret(s.Value)
		if err != nil {
			return "", fmt.Errorf("cannot read secret file %q: %w", s.Value, err)
		}
		return secret, nil
	case Env:
		secret, ok := os.LookupEnv(s.Value)
		if !ok {
			return "", fmt.Errorf("cannot read secret: the daemon's environment has no variable %q", s.Value)
		}
		return secret, nil
	default:
		return "", errors.New("cannot read secret: it has no source")
	}
}

func readSecret(path string) (string, error) {
	secret, err := readFile(path, maxSecret)
	if err != nil {
		return "", err
	}
	if !utf8.Valid(secret) {
		return "", errors.New("it is not UTF-8")
	}
	secret, _ = bytes.CutSuffix(secret, []byte("\n"))
	secret, _ = bytes.CutSuffix(secret, []byte("\r"))
	return string(secret), nil
}

// parseSecret reads a reference; dir is where relative paths start. Its error
// says what would be right.
func parseSecret(s, dir string) (SecretRef, error) {
	kind, value, ok := strings.Cut(s, ":")
	switch {
	case value == "***":
		return SecretRef{}, errors.New("this is how a secret is shown; write where it comes from in full")
	case !ok || value == "":
		return SecretRef{}, errors.New(`a secret itself can't stand here; write where it comes from: "credential:NAME", "file:PATH" or "env:NAME"`)
	}
	switch SecretKind(kind) {
	case Credential:
		if strings.ContainsAny(value, "/\x00") || value == "." || value == ".." || len(value) > 255 {
			return SecretRef{}, errors.New("a credential's name is that of a file, without a folder")
		}
	case File:
		if strings.ContainsRune(value, 0) {
			return SecretRef{}, errors.New("a NUL can't be in a path")
		}
		if !filepath.IsAbs(value) {
			value = filepath.Join(dir, value)
		}
	case Env:
		if strings.ContainsAny(value, "=\x00") {
			return SecretRef{}, errors.New("a variable's name has no = in it")
		}
	default:
		// The text may be the secret itself: it is not repeated.
		return SecretRef{}, errors.New(`there is no such source; write "credential:NAME", "file:PATH" or "env:NAME"`)
	}
	return SecretRef{SecretKind(kind), value}, nil
}
