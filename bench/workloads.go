package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/nano-runtime/nano/bench/native"
	"github.com/nano-runtime/nano/bench/stack"
)

// A workload is a handler, what it is asked, and with how many connections.
type workload struct {
	name   string
	title  string
	app    string // the handler
	page   page
	shapes []shape
	apps   func(size) int // how many of the handler there are; nil: one
	kinds  []stack.Kind
	warm   int // times the usual time to warm up; 0: once
}

// A page is what is asked, and what the answer must be.
type page struct {
	method string
	path   string
	body   []byte
	status int
	check  func(body []byte) error
}

// A shape is how requests come.
type shape struct {
	name   string
	conns  int
	closes bool // a connection for each request
	paced  bool // then at a fixed rate, too
	hosts  int  // how many apps are asked in turn; 0: all
}

func isWorkload(name string) bool {
	return slices.ContainsFunc(workloads(), func(w workload) bool { return w.name == name }) ||
		slices.ContainsFunc(episodes(), func(e episode) bool { return e.name == name })
}

// hello is the workload that others build on.
func hello() workload { return workloads()[0] }

func workloads() []workload {
	usual := []shape{{name: "32 connections", conns: 32, paced: true}}
	return []workload{
		{
			name: "hello", title: "hello with a parsed URL", app: "hello",
			page: get("/some/path", exactly("Hello from /some/path\n")),
			shapes: []shape{
				{name: "1 connection", conns: 1},
				{name: "32 connections", conns: 32, paced: true},
				{name: "256 connections", conns: 256},
				{name: "1 connection a request", conns: 1, closes: true},
				{name: "32 connections, one a request", conns: 32, closes: true},
				{name: "256 connections, one a request", conns: 256, closes: true},
			},
			kinds: kindsFor("hello"),
		},
		{
			name: "json", title: "JSON API, 2 KB in and 2 KB out", app: "json",
			page:   page{method: "POST", path: "/orders", body: orderBody(), status: 201, check: isPriced},
			shapes: usual, kinds: kindsFor("json"),
		},
		{
			name: "ssr", title: "React page of 20 KB", app: "ssr",
			page: get("/shop", isShop), shapes: usual, kinds: kindsFor("ssr"),
		},
		{
			name: "timer", title: "handler that waits 5 ms", app: "timer",
			page:   get("/", exactly("waited\n")),
			shapes: []shape{{name: "256 connections", conns: 256, paced: true}}, kinds: kindsFor("timer"),
		},
		{
			name: "upstream", title: "handler that fetches a local upstream", app: "upstream",
			page: get("/", exactly(`{"name":"catalogue","count":25}`)), shapes: usual, kinds: kindsFor("upstream"),
		},
		{
			name: "big", title: "response of 1 MB", app: "big",
			page: get("/", isBig), shapes: usual, kinds: kindsFor("big"),
		},
		{
			name: "asset", title: "static file of 10 KB", app: "asset",
			page: get("/"+assetName, isAsset), shapes: usual,
			kinds: slices.DeleteFunc(kindsFor("asset"), func(k stack.Kind) bool { return !k.Files() }),
		},
		{
			name: "hosts", title: "many apps, picked by Host", app: "hello",
			page:   get("/some/path", exactly("Hello from /some/path\n")),
			shapes: []shape{{name: "one app", conns: 32, hosts: 1}, {name: "all apps evenly", conns: 32}},
			apps:   func(s size) int { return s.apps },
			kinds:  []stack.Kind{stack.Nano, stack.NginxDeno, stack.WorkerdRouter},
			warm:   10, // each app gets a hundredth of it
		},
	}
}

// kindsFor are the stacks that an app runs on.
func kindsFor(app string) []stack.Kind {
	return slices.DeleteFunc(stack.Kinds(), func(k stack.Kind) bool { return !k.JavaScript() && !native.Has(app) })
}

func get(path string, check func([]byte) error) page {
	return page{method: "GET", path: path, status: 200, check: check}
}

func exactly(want string) func([]byte) error {
	return func(body []byte) error {
		if string(body) != want {
			return fmt.Errorf("the answer is %.100q, not %.100q", body, want)
		}
		return nil
	}
}

// order is a body of about 2 KB.
type order struct {
	ID       string            `json:"id"`
	Customer map[string]string `json:"customer"`
	Currency string            `json:"currency"`
	Lines    []orderLine       `json:"lines"`
}

type orderLine struct {
	SKU      string  `json:"sku"`
	Name     string  `json:"name"`
	Price    int     `json:"price"`
	Quantity int     `json:"quantity"`
	Discount float64 `json:"discount"`
}

func orderLines() []orderLine {
	lines := make([]orderLine, 20)
	for i := range lines {
		lines[i] = orderLine{fmt.Sprintf("SKU-%04d", i*37), fmt.Sprintf("Article number %d", i), 200 + 50*i, i%5 + 1, 0.5}
	}
	return lines
}

func orderBody() []byte {
	o := order{
		ID: "2f9c1a7e", Currency: "EUR",
		Customer: map[string]string{"name": "Ada Example", "street": "1 Sample Street", "city": "Springfield", "email": "ada@example.com"},
	}
	o.Lines = orderLines()
	body, err := json.Marshal(o)
	if err != nil {
		panic(err) // of constants
	}
	return body
}

func isPriced(body []byte) error {
	var answer struct {
		ID, Customer, Currency string
		Lines                  []struct{ Amount float64 }
		Total                  float64
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return fmt.Errorf("the answer is %.100q: %w", body, err)
	}
	lines, sum := orderLines(), 0
	right := answer.ID == "2f9c1a7e" && answer.Customer == "Ada Example" && len(answer.Lines) == len(lines)
	for i := 0; right && i < len(lines); i++ {
		amount := lines[i].Price * lines[i].Quantity / 2
		sum += amount
		right = answer.Lines[i].Amount == float64(amount)
	}
	if !right || answer.Total != float64(sum) {
		return fmt.Errorf("the answer with a total of %v, for %d, is %.200q", answer.Total, sum, body)
	}
	return nil
}

func isShop(body []byte) error {
	page := string(body)
	if len(page) < 18_000 || len(page) > 25_000 || !strings.HasPrefix(page, "<!doctype html><html lang=\"en\">") ||
		!strings.HasSuffix(page, "</html>") || strings.Count(page, "<tr ") != 88 || !strings.Contains(page, "Products &amp; prices") {
		return fmt.Errorf("the answer of %d bytes is not the page: %.200q", len(page), page)
	}
	return nil
}

func isBig(body []byte) error {
	if len(body) != 1<<20 {
		return fmt.Errorf("the answer has %d bytes, not %d", len(body), 1<<20)
	}
	for i, c := range body {
		if c != byte(32+i*7%90) {
			return fmt.Errorf("byte %d of the answer is wrong", i)
		}
	}
	return nil
}

const assetName = "style.css"

// asset is a file of 10 KB.
func asset() []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < 10<<10; i++ {
		fmt.Fprintf(&b, ".rule-%03d { margin: %dpx; color: #%06x }\n", i, i%40, i*7919%0xffffff)
	}
	return b.Bytes()[:10<<10]
}

func isAsset(body []byte) error {
	if !bytes.Equal(body, asset()) {
		return fmt.Errorf("the answer of %d bytes is not the file", len(body))
	}
	return nil
}
