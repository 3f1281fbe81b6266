package webapi

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nano-runtime/nano/isolate"
)

// files stands for an app's static files: what it serves tells what it was asked.
func files(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	switch r.URL.Path {
	case "/folder":
		http.Redirect(w, r, "/folder/", http.StatusTemporaryRedirect)
	case "/tagged":
		h.Set("Etag", `"1"`)
		http.ServeContent(w, r, "tagged.txt", time.Time{}, strings.NewReader("0123456789"))
	case "/refused":
		http.Error(w, "no", http.StatusMethodNotAllowed)
	case "/nothing":
	case "/broken":
		io.WriteString(w, "half")
		panic("a bug")
	case "/panics":
		panic("a bug")
	default:
		h.Set("X-A", "b")
		h.Add("Set-Cookie", "c=d")
		h.Add("Set-Cookie", "e=f")
		fmt.Fprintf(w, "%s %s %s", r.Method, r.RequestURI, r.Header.Get("Accept-Encoding"))
	}
}

func TestAssets(t *testing.T) {
	tests := []struct{ name, body, want string }{
		{"url", `await show(env.ASSETS.fetch("http://a.example/x%20y?z#f"))`, `"200 GET /x%20y?z "`},
		{"any host", `await show(env.ASSETS.fetch(new URL("https://127.0.0.1:1/x")))`, `"200 GET /x "`},
		{"not a good path", `await show(env.ASSETS.fetch("http://a//x/%zz"))`, `"TypeError: fetch failed: the path of \"http://a//x/%zz\" can't be sent"`},
		{"malformed escape", `await show(env.ASSETS.fetch("http://a/%zz"))`, `"200 GET /%zz "`},
		{"the client's request", `await show(env.ASSETS.fetch(request))`, `"200 GET / "`},
		{"headers", `[...(await env.ASSETS.fetch("http://a/x")).headers]`, `[["set-cookie","c=d"],["set-cookie","e=f"],["x-a","b"]]`},
		{"response", `await (async () => { const r = await env.ASSETS.fetch("http://a/x#f"); return [r.ok, r.status, r.statusText, r.url, r.redirected] })()`, `[true,200,"OK","http://a/x",false]`},
		{"HEAD", `await (async () => { const r = await env.ASSETS.fetch("http://a/tagged", { method: "HEAD" }); return [r.headers.get("content-length"), r.body] })()`, `["10",null]`},
		{"condition", `await (async () => { const r = await env.ASSETS.fetch("http://a/tagged", { headers: { "if-none-match": '"1"' } }); return [r.status, r.headers.get("etag"), r.body] })()`, `[304,"\"1\"",null]`},
		{"range", `await show(env.ASSETS.fetch("http://a/tagged", { headers: { range: "bytes=2-4" } }))`, `"206 234"`},
		{"nothing", `await show(env.ASSETS.fetch("http://a/nothing"))`, `"200 "`},
		{"body", `await show(env.ASSETS.fetch("http://a/refused", { method: "POST", body: "x".repeat(100000) }))`, `"405 no\n"`},
		{"stream", `await show(env.ASSETS.fetch("http://a/refused", { method: "POST", duplex: "half", body: new ReadableStream({ pull(c) { c.enqueue(new Uint8Array(1000)) } }) }))`, `"405 no\n"`},
		{"redirect", `await show(env.ASSETS.fetch("http://a/folder"))`, `"200 GET /folder/ "`},
		{"redirect of the client's request", `await (async () => { const r = await env.ASSETS.fetch(new Request("http://a/folder", request)); return [r.status, r.headers.get("location")] })()`, `[307,"/folder/"]`},
		{"broken", `await show(env.ASSETS.fetch("http://a/broken"))`, `"TypeError: the response's body broke off: it failed: a bug"`},
		{"panic", `(await env.ASSETS.fetch("http://a/panics")).status`, `500`},
		{"other scheme", `await show(env.ASSETS.fetch("data:,x"))`, `"TypeError: fetch failed: data:,x is neither an http nor an https URL"`},
		{"no argument", `await show(env.ASSETS.fetch())`, `"TypeError: Fetcher.fetch: 1 argument required, but only 0 present"`},
		{"shape", `[String(env.ASSETS), typeof Fetcher, Object.keys(env)]`, `["[object Fetcher]","undefined",["GREETING","ASSETS"]]`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a := loadWith(t, `
				async function show(promise) {
					try {
						const r = await promise;
						return r.status + " " + await r.text();
					} catch (e) {
						return e.name + ": " + e.message;
					}
				}
				export default { async fetch(request, env) { return Response.json(`+test.body+`) } }`, nowhere, http.HandlerFunc(files))
			a.check("/", test.want)
		})
	}
}

func TestAssetsAreNotBuffered(t *testing.T) {
	failed := make(chan error, 1)
	a := loadWith(t, `export default { async fetch(request, env) {
		const reader = (await env.ASSETS.fetch("http://a/")).body.getReader();
		const { value } = await reader.read();
		await reader.cancel();
		return new Response(String(value.byteLength));
	} }`, nowhere, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.CopyN(w, zeros{}, 1<<40)
		if n > 1<<20 {
			err = fmt.Errorf("%d bytes were taken", n)
		}
		failed <- err
	}))
	a.check("/", "32768")
	if err := <-failed; err != io.ErrClosedPipe && err != context.Canceled {
		t.Errorf("writing ended with %v", err)
	}
}

func TestAssetsAborted(t *testing.T) {
	ended := make(chan struct{})
	a := loadWith(t, `export default { async fetch(request, env) {
		try {
			return await env.ASSETS.fetch("http://a/", { signal: AbortSignal.timeout(1) });
		} catch (error) {
			return new Response(error.name);
		}
	} }`, nowhere, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		close(ended)
	}))
	a.check("/", "TimeoutError")
	a.wait(ended)
}

func TestVarNamedASSETS(t *testing.T) {
	a := open(t, nowhere, http.HandlerFunc(files))
	_, err := a.isolate.Load(t.Context(), isolate.Module{
		Code: []byte(`export default { fetch: (request, env) => new Response(env.ASSETS) }`),
		Name: "app:test", Env: `{"ASSETS":"mine"}`, Assets: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	a.check("/", "mine")
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
