package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// The bundle is one expression, (native) => dispatch: js/native.js is the one module that reads the parameter, and
// the default export of js/index.js is the result.
const (
	bundleHead = "(native=>{\"use strict\";var module={exports:{}};"
	bundleTail = "return module.exports.default})\n"
)

// substitutes replace what a package imports by our own: relative to webapi.
//   - whatwg-url's text encoding is the engine's, and its legacy query encodings are for documents, which we have none of;
//   - tr46 (200 KB of tables) is only evaluated for a host that needs it.
var substitutes = []struct{ importer, path, file string }{
	{"node_modules/whatwg-url/", "@exodus/bytes/encoding.js", "js/lib/url/nothing.cjs"},
	{"node_modules/whatwg-url/", "@exodus/bytes/whatwg.js", "js/lib/url/percent.js"},
	{"node_modules/whatwg-url/", "./encoding", "js/lib/url/utf8.js"},
	{"node_modules/whatwg-url/", "tr46", "js/lib/url/tr46.cjs"},
}

// bundle returns the script and the files that went into it, relative to dir.
func bundle(dir string) (script []byte, inputs []string, err error) {
	result := api.Build(api.BuildOptions{
		AbsWorkingDir:    dir,
		EntryPoints:      []string{"js/index.js"},
		Outfile:          "dist/prelude.js",
		Bundle:           true,
		Format:           api.FormatCommonJS,
		Platform:         api.PlatformNeutral,
		MainFields:       []string{"module", "main"},
		Target:           api.ESNext,
		Charset:          api.CharsetASCII, // a one-byte string costs V8 half the memory
		MinifyWhitespace: true,
		MinifySyntax:     true, // not identifiers: the .name of classes and functions is observable
		LineLimit:        160,
		LegalComments:    api.LegalCommentsNone,
		Metafile:         true,
		Plugins:          []api.Plugin{substitutePlugin(dir)},
	})
	if len(result.Errors) > 0 {
		lines := api.FormatMessages(result.Errors, api.FormatMessagesOptions{Kind: api.ErrorMessage})
		return nil, nil, errors.New("cannot bundle the web platform:\n" + strings.Join(lines, ""))
	}
	for _, file := range result.OutputFiles {
		script = append([]byte(bundleHead), file.Contents...)
		script = append(script, bundleTail...)
	}
	inputs, err = bundledInputs(result.Metafile)
	return script, inputs, err
}

func bundledInputs(metafile string) ([]string, error) {
	var meta struct {
		Outputs map[string]struct {
			Inputs map[string]struct {
				BytesInOutput int `json:"bytesInOutput"`
			} `json:"inputs"`
		} `json:"outputs"`
	}
	if err := json.Unmarshal([]byte(metafile), &meta); err != nil {
		return nil, fmt.Errorf("cannot read the bundle's list of files: %w", err)
	}
	var inputs []string
	for _, output := range meta.Outputs {
		for path, input := range output.Inputs {
			if input.BytesInOutput > 0 {
				inputs = append(inputs, path)
			}
		}
	}
	return inputs, nil
}

func substitutePlugin(dir string) api.Plugin {
	return api.Plugin{Name: "substitute", Setup: func(build api.PluginBuild) {
		build.OnResolve(api.OnResolveOptions{Filter: "."}, func(args api.OnResolveArgs) (api.OnResolveResult, error) {
			importer, err := filepath.Rel(dir, args.Importer)
			if err != nil {
				return api.OnResolveResult{}, nil
			}
			for _, s := range substitutes {
				if args.Path == s.path && strings.HasPrefix(filepath.ToSlash(importer), s.importer) {
					return api.OnResolveResult{Path: filepath.Join(dir, filepath.FromSlash(s.file))}, nil
				}
			}
			return api.OnResolveResult{}, nil
		})
	}}
}
