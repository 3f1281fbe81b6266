package webapi

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
)

// newRequest makes the request that an app asked for. header is "name\nvalue\n…"; the body is either complete or pipe.
func newRequest(ctx context.Context, method, rawURL, header string, complete []byte, pipe io.ReadCloser) (*http.Request, error) {
	if !isToken(method) { // JavaScript's check can be got by: RegExp.prototype.exec is the app's
		return nil, fmt.Errorf("%q is not a valid method", method)
	}
	target, err := splitURL(rawURL)
	if err != nil {
		return nil, err
	}
	r := &http.Request{
		Method: method, URL: target, Host: target.Host, Header: make(http.Header),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	length := readHeader(r.Header, header)
	switch {
	case pipe != nil:
		r.Body, r.ContentLength = pipe, length
	case len(complete) > 0:
		r.ContentLength = int64(len(complete))
		r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(complete)), nil }
		r.Body, _ = r.GetBody()
	default:
		r.Body = http.NoBody
	}
	return r.WithContext(ctx), nil
}

func isToken(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune("\"(),/:;<=>?@[\\]{}", r)
	}) < 0
}

// splitURL cuts a URL as JavaScript's URL wrote it. net/url would refuse some of those and write others anew, so path
// and query go out as they are.
func splitURL(raw string) (*url.URL, error) {
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok || (scheme != "http" && scheme != "https") {
		return nil, fmt.Errorf("%q is neither an http nor an https URL", raw)
	}
	rest, _, _ = strings.Cut(rest, "#")
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	host, target := rest[:end], rest[end:]
	if host == "" || strings.Contains(host, "@") {
		return nil, fmt.Errorf("%q has no host, or a user name", raw)
	}
	// JavaScript's URL writes none of these; but the app may have put another in its place.
	if strings.ContainsFunc(target, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return nil, fmt.Errorf("the path of %q can't be sent", raw)
	}
	path, query, hasQuery := strings.Cut(target, "?")
	if path == "" {
		path = "/"
	}
	u := &url.URL{Scheme: scheme, Host: host, RawQuery: query, ForceQuery: hasQuery && query == ""}
	if !strings.HasPrefix(path, "//") {
		u.Opaque = path
		return u, nil
	}
	// After "//" net/url would take what is opaque for a host.
	var err error
	if u.Path, err = url.PathUnescape(path); err != nil {
		return nil, fmt.Errorf("the path of %q can't be sent", raw)
	}
	u.RawPath = path
	return u, nil
}

// Headers that are the connection's business, or that only the platform may set.
var notForApps = map[string]bool{
	"connection": true, "content-length": true, "expect": true, "host": true, "keep-alive": true,
	"proxy-connection": true, "te": true, "trailer": true, "transfer-encoding": true, "upgrade": true,
}

// readHeader adds the headers of text, and those that every request has. It returns the Content-Length that the app
// claims, or -1.
func readHeader(header http.Header, text string) (length int64) {
	length = -1
	for text != "" {
		var name, value string
		name, text, _ = strings.Cut(text, "\n")
		value, text, _ = strings.Cut(text, "\n")
		if name == "content-length" {
			if n, err := strconv.ParseInt(value, 10, 64); err == nil && n >= 0 {
				length = n
			}
		}
		if !notForApps[name] {
			header.Add(name, value)
		}
	}
	setDefault := func(name, value string) {
		if _, ok := header[name]; !ok {
			header[name] = []string{value}
		}
	}
	setDefault("Accept", "*/*")
	setDefault("User-Agent", "nano")
	if _, ok := header["Range"]; ok {
		setDefault("Accept-Encoding", "identity") // a part of a compressed body is of no use
	}
	setDefault("Accept-Encoding", "gzip, deflate, br")
	return length
}

// reason says why a request failed, without naming the addresses that a name stands for.
func reason(r *http.Request, err error) string {
	var (
		blocked   *errBlocked
		dns       *net.DNSError
		timeout   net.Error
		errno     syscall.Errno
		op        *net.OpError
		unknownCA x509.UnknownAuthorityError
		wrongName x509.HostnameError
		invalid   x509.CertificateInvalidError
		verify    *tls.CertificateVerificationError
		record    tls.RecordHeaderError
	)
	host := r.URL.Host
	switch {
	case errors.As(err, &blocked):
		return blocked.Error()
	case errors.As(err, &dns) && dns.IsNotFound:
		return "there is no host " + r.URL.Hostname()
	case errors.As(err, &dns):
		return "the name " + r.URL.Hostname() + " can't be resolved just now"
	case errors.As(err, &unknownCA), errors.As(err, &wrongName), errors.As(err, &invalid), errors.As(err, &verify):
		return "the certificate of " + host + " is not valid: " + innermost(err).Error()
	case errors.As(err, &record):
		return host + " doesn't speak TLS"
	case errors.As(err, &timeout) && timeout.Timeout():
		return host + " took too long to answer"
	case errors.As(err, &op) && op.Op == "dial" && errors.As(err, &errno):
		return "cannot connect to " + host + ": " + errno.Error()
	case errors.As(err, &errno):
		return "the connection to " + host + " broke: " + errno.Error()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return host + " closed the connection too early"
	}
	return innermost(err).Error()
}

func innermost(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}
