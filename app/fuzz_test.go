package app_test

import (
	"strconv"
	"strings"
	"testing"
)

// FuzzRequest sends any bytes as a request to an app that tells all that it got, in its
// answer's header too. What comes back is HTTP.
func FuzzRequest(f *testing.F) {
	h := start(f, one(`default = true
limits = { body = "64KiB" }`, `
const visible = (s) => s.replace(/[^\x20-\x7e\x80-\xff]/g, "?").trim().slice(0, 4000);
export default {
  async fetch(request) {
    const headers = new Headers();
    for (const [name, value] of request.headers) if (!/^(content-|transfer-|connection$)/.test(name)) headers.append("x-" + name, value);
    headers.set("x-url", visible(request.url));
    const body = await request.arrayBuffer().catch((e) => String(e));
    return new Response(body, { headers, status: request.method.length > 9 ? 500 : 200 });
  },
};`))
	for _, seed := range []struct{ target, header, body string }{
		{"/", "", ""},
		{"/a b", "x: y\r\n", "body"},
		{"http://other/\x00?\xff#\u20ac", "X-A: \xe9\xff\r\nx-a: \x00\r\n", "\x00\xff"},
		{"/%00%ff%zz/../..//\\", "Cookie: a=b\r\nCookie: c\r\n", strings.Repeat("x", 70_000)},
		{"*", "Content-Length: 4\r\nContent-Length: 5\r\n", "12345"},
		{"/?\ud7ff\U0010ffff", "Transfer-Encoding: chunked\r\n", "4\r\nabcd\r\n0\r\n\r\n"},
		{"/", "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "0\r\n\r\nGET / HTTP/1.1\r\n\r\n"},
		{"/\r\nx: y", " folded\r\n", "\r\n\r\n"},
		{"", "Expect: 100-continue\r\nUpgrade: websocket\r\nConnection: upgrade\r\n", ""},
		{"/" + strings.Repeat("a", 9000), "x: " + strings.Repeat("\xff", 9000) + "\r\n", "1"},
		{"/", "Host: \x80\r\nRange: bytes=0-\r\nAccept-Encoding: gzip\r\n", "x"},
	} {
		f.Add(seed.target, seed.header, seed.body)
	}
	f.Fuzz(func(t *testing.T, target, header, body string) {
		if len(target)+len(header)+len(body) > 200_000 {
			return
		}
		request := "POST " + target + " HTTP/1.1\r\nHost: test\r\n" + header
		if !strings.Contains(strings.ToLower(header), "content-length") && !strings.Contains(strings.ToLower(header), "transfer-encoding") {
			request += "Content-Length: " + strconv.Itoa(len(body)) + "\r\n"
		}
		for _, a := range parse(t, h.raw(t, request+"\r\n"+body, true)) {
			if a.cut {
				t.Errorf("an answer broke off: %+v", a)
			}
		}
		if as := parse(t, h.raw(t, "GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n", false)); len(as) != 1 || as[0].status != 200 {
			t.Errorf("afterwards: %+v", as)
		}
	})
}
