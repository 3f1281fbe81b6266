package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// handlers are the apps, by the source of each.
func handlers() map[string]string {
	return map[string]string{
		"hello": "hello.js", "json": "json.js", "ssr": "ssr.jsx", "timer": "timer.js",
		"upstream": "upstream.js", "big": "big.js", "asset": "asset.js", "bulky": "bulky.js",
	}
}

// bundleHandlers makes one ES module of each handler, the same for all stacks,
// and returns their paths by name. upstream is the URL that one of them fetches.
func bundleHandlers(sources, dir, upstream string) (map[string]string, error) {
	modules := make(map[string]string)
	for name, file := range handlers() {
		to := filepath.Join(dir, "apps", name, "index.mjs")
		err := bundle(filepath.Join(sources, file), to, api.BuildOptions{
			Platform:   api.PlatformBrowser,
			Conditions: []string{"worker"},
			JSX:        api.JSXAutomatic,
			Define:     map[string]string{"process.env.NODE_ENV": `"production"`, "UPSTREAM": fmt.Sprintf("%q", upstream)},
			// Like a bundle that people deploy, but for names, so that profiles can be read.
			MinifyWhitespace: true,
			MinifySyntax:     true,
			TreeShaking:      api.TreeShakingTrue,
		})
		if err != nil {
			return nil, err
		}
		modules[name] = to
	}
	return modules, nil
}

// bundleAdapter makes the script that serves a module on Node.
func bundleAdapter(source, to string) error {
	return bundle(source, to, api.BuildOptions{Platform: api.PlatformNode})
}

func bundle(from, to string, options api.BuildOptions) error {
	options.EntryPoints = []string{from}
	options.Outfile = to
	options.Bundle = true
	options.Format = api.FormatESModule
	options.Target = api.ES2022
	options.Write = true
	options.LogLevel = api.LogLevelSilent
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	result := api.Build(options)
	if len(result.Errors) > 0 {
		text := api.FormatMessages(result.Errors, api.FormatMessagesOptions{Kind: api.ErrorMessage})
		return fmt.Errorf("cannot bundle %s: %s", from, strings.TrimSpace(strings.Join(text, "")))
	}
	return nil
}
