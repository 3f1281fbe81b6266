package app_test

import "testing"

func TestAssetsOfTheApp(t *testing.T) {
	h := start(t, `
-- nano.toml --
[apps.test]
hosts = ["test"]
root = "test"
entry = "index.js"
assets = "."
not_found = "404-page"
-- test/index.js --
const { ASSETS } = (await import("cloudflare:workers")).env;
export default { fetch: (request) => ASSETS.fetch(request) }
-- test/package.json --
{}
-- test/node_modules/a/b.txt --
secret
-- test/404.html --
no such page
-- test/docs/index.html --
docs
-- test/.assetsignore --
*.map
-- test/a.map --
secret
`)
	for _, tc := range []struct {
		method, target string
		status         int
		body           string
	}{
		{"GET", "/docs/", 200, "docs\n"},
		{"GET", "/docs", 307, ""},
		{"GET", "/index.js", 404, "no such page\n"},
		{"GET", "/package.json", 404, "no such page\n"},
		{"GET", "/node_modules/a/b.txt", 404, "no such page\n"},
		{"GET", "/a.map", 404, "no such page\n"},
		{"POST", "/docs/", 405, "method not allowed\n"},
	} {
		t.Run(tc.method+" "+tc.target, func(t *testing.T) {
			res, body := h.do(h.request(tc.method, "test", tc.target, nil))
			if res.StatusCode != tc.status || body != tc.body {
				t.Errorf("got %d %q, want %d %q\n%s", res.StatusCode, body, tc.status, tc.body, h.log)
			}
		})
	}
}
