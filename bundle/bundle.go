// Package bundle turns an app's entry point into one ES module script and
// keeps what is needed to speak about that script in terms of the original
// files: compile errors with their source lines, and stack traces.
//
// It owns how imports are resolved and loaded (esbuild does the work), which
// files an app may import, and what stands in for the modules that other
// runtimes have built in. It doesn't run JavaScript, watch files or know
// about configuration.
//
// An app may import what lies in its folder and in the node_modules folders
// of its parents (monorepos); workspace packages that such a parent's
// node_modules links to belong to it. Symlinks out of that are refused: the
// script of one app can't contain another app's files.
package bundle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// Options says what to bundle.
type Options struct {
	Root  string // the app's folder
	Entry string // its entry point: absolute, or relative to Root
	Dev   bool   // as under "nano run": NODE_ENV is development, and source lines are at hand
	// Memory is how many bytes BuildApart may take; 0: 1 GiB. Build has no bound.
	Memory int64
}

// Bundle is an app as one script. All of its methods may be called from any
// goroutine.
type Bundle struct {
	Code     []byte    // the ES module
	Hash     string    // of Code, 32 hex digits
	Inputs   []string  // the files outside node_modules it was made from, absolute and sorted
	Warnings []Message // what esbuild and NANO find suspicious; the script works all the same
	// Made is what decided all of it, for Unchanged; nil where that can't be told.
	Made []Stamp

	sourceMap sourceMap
}

// Build bundles the entry point. It returns an *Error when the app's files
// are at fault, and ctx's error as soon as ctx is done. Files of people who aren't
// trusted are for BuildApart: esbuild may go on for ever with some of them, or take
// all the memory that there is.
func Build(ctx context.Context, o Options) (*Bundle, error) {
	root, err := filepath.Abs(o.Root)
	if err == nil {
		root, err = filepath.EvalSymlinks(root)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the app's folder: %w", err)
	}
	entry := o.Entry
	if !filepath.IsAbs(entry) {
		entry = filepath.Join(root, entry)
	}
	if fi, err := os.Stat(entry); err != nil || !fi.Mode().IsRegular() {
		return nil, &Error{
			Messages: []Message{{File: entry, Text: "cannot find the entry file"}},
			Inputs:   []string{entry},
		}
	}

	type outcome struct {
		b   *Bundle
		err error
	}
	done := make(chan outcome, 1)
	go func() {
		b, err := build(ctx, root, entry, o.Dev)
		done <- outcome{b, err}
	}()
	// esbuild can hang in a read (a FIFO called package.json), so it isn't
	// waited for once ctx is done.
	select {
	case out := <-done:
		return out.b, out.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func build(ctx context.Context, root, entry string, dev bool) (*Bundle, error) {
	trail := newTrail()
	if err := trail.start(root, filepath.Dir(entry)); err != nil {
		return nil, &Error{Messages: []Message{{Text: err.Error()}}, Inputs: []string{entry, filepath.Join(root, "package.json"), filepath.Join(root, "tsconfig.json")}}
	}
	fence, err := newFence(root, trail)
	if err != nil {
		return nil, err
	}
	builtins := newBuiltins(root)
	var result api.BuildResult
	for {
		result = run(ctx, buildOptions(root, entry, dev, fence, builtins))
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		// A package's require("fs") may stand in a try block, which only
		// esbuild's parser knows: it then is left to fail at run time, and is
		// an error otherwise. Those errors become stand-ins in a second run.
		if !builtins.standIn(result.Errors) {
			break
		}
	}

	inputs := fence.inputs()
	if len(result.Errors) > 0 {
		return nil, &Error{Messages: messages(root, fence, result.Errors), Inputs: inputs}
	}
	b := &Bundle{
		Inputs:   inputs,
		Warnings: messages(root, fence, result.Warnings),
		Made:     trail.made(),
	}
	for _, f := range result.OutputFiles {
		if strings.HasSuffix(f.Path, ".map") {
			b.sourceMap.deflated, err = deflate(f.Contents)
			if err != nil {
				return nil, fmt.Errorf("cannot keep the source map: %w", err)
			}
		} else {
			b.Code = f.Contents
		}
	}
	if b.Code == nil {
		return nil, errors.New("cannot bundle: esbuild gave no script")
	}
	b.Hash = hashOf(b.Code)
	return b, nil
}

func hashOf(code []byte) string {
	sum := sha256.Sum256(code)
	return hex.EncodeToString(sum[:16])
}

// Restore is a bundle of the parts that an earlier one had: its code, its map as
// DeflatedMap gave it, and its inputs.
func Restore(code, deflatedMap []byte, inputs []string) *Bundle {
	return &Bundle{Code: code, Hash: hashOf(code), Inputs: inputs, sourceMap: sourceMap{deflated: deflatedMap}}
}

// DeflatedMap is the source map in the form in which it is kept.
func (b *Bundle) DeflatedMap() []byte { return b.sourceMap.deflated }

// run is api.Build that stops between files once ctx is done.
func run(ctx context.Context, o api.BuildOptions) api.BuildResult {
	esbuild, cerr := api.Context(o)
	if cerr != nil {
		return api.BuildResult{Errors: cerr.Errors}
	}
	defer esbuild.Dispose()
	defer context.AfterFunc(ctx, esbuild.Cancel)()
	return esbuild.Rebuild()
}
