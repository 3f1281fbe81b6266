package webapi

import "testing"

func TestHello(t *testing.T) {
	a := handler(t, `const u = new URL(request.url); return new Response("hi " + u.pathname);`)
	a.check("/x/y", "hi /x/y")
}
