// Package native serves in plain Go, on net/http, what the benchmark's handlers
// serve in JavaScript: the limit for any server of this kind. It has the upstream
// that handlers fetch, too.
package native

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"strings"
	"time"
)

// Options are what some of the apps need.
type Options struct {
	Upstream string // URL that the app "upstream" fetches
	Assets   string // folder that the app "asset" serves
}

// Serve serves one app on a listener until ctx ends, and closes it. The app
// "source" is the upstream of the others.
func Serve(ctx context.Context, app string, listener net.Listener, options Options) error {
	handler, err := handlerOf(app, options)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler}
	context.AfterFunc(ctx, func() { server.Close() })
	if err := server.Serve(listener); ctx.Err() == nil {
		return err
	}
	return nil
}

// Has reports whether an app is served.
func Has(app string) bool {
	_, err := handlerOf(app, Options{})
	return err == nil
}

func handlerOf(app string, options Options) (http.Handler, error) {
	switch app {
	case "hello":
		return http.HandlerFunc(hello), nil
	case "json":
		return http.HandlerFunc(orders), nil
	case "timer":
		return http.HandlerFunc(timer), nil
	case "upstream":
		return fetcher(options.Upstream), nil
	case "big":
		return big(), nil
	case "asset":
		return http.FileServer(http.Dir(options.Assets)), nil
	case "source":
		return source(), nil
	}
	return nil, fmt.Errorf("there is no app %q in Go", app)
}

func hello(w http.ResponseWriter, r *http.Request) {
	io.WriteString(w, "Hello from "+r.URL.Path+"\n")
}

type line struct {
	SKU      string  `json:"sku"`
	Name     string  `json:"name"`
	Price    float64 `json:"price"`
	Quantity int     `json:"quantity"`
	Discount float64 `json:"discount,omitempty"`
	Amount   float64 `json:"amount"`
}

type order struct {
	ID       string `json:"id"`
	Customer struct {
		Name string `json:"name"`
	} `json:"customer"`
	Currency string `json:"currency"`
	Lines    []line `json:"lines"`
}

type priced struct {
	ID       string  `json:"id"`
	Customer string  `json:"customer"`
	Lines    []line  `json:"lines"`
	Total    float64 `json:"total"`
	Currency string  `json:"currency"`
}

func orders(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.URL.Path != "/orders" {
		http.Error(w, "no such resource", http.StatusNotFound)
		return
	}
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		http.Error(w, "send JSON", http.StatusUnsupportedMediaType)
		return
	}
	var o order
	if err := json.NewDecoder(r.Body).Decode(&o); err != nil {
		http.Error(w, "bad JSON", http.StatusBadRequest)
		return
	}
	answer := priced{ID: o.ID, Customer: o.Customer.Name, Lines: o.Lines, Currency: o.Currency}
	for i := range o.Lines {
		l := &o.Lines[i]
		l.Amount = math.Round(l.Price * float64(l.Quantity) * (1 - l.Discount))
		answer.Total += l.Amount
	}
	body, err := json.Marshal(answer)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Location", "/orders/"+o.ID)
	w.WriteHeader(http.StatusCreated)
	w.Write(body)
}

func timer(w http.ResponseWriter, r *http.Request) {
	time.Sleep(5 * time.Millisecond)
	io.WriteString(w, "waited\n")
}

func fetcher(url string) http.Handler {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request, err := http.NewRequestWithContext(r.Context(), http.MethodGet, url, nil)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		response, err := client.Do(request)
		if err != nil {
			http.Error(w, "upstream failed", http.StatusBadGateway)
			return
		}
		defer response.Body.Close()
		var data struct {
			Name  string            `json:"name"`
			Items []json.RawMessage `json:"items"`
		}
		if err := json.NewDecoder(response.Body).Decode(&data); err != nil {
			http.Error(w, "upstream failed", http.StatusBadGateway)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"name":%q,"count":%d}`, data.Name, len(data.Items))
	})
}

func big() http.Handler {
	body := make([]byte, 1<<20)
	for i := range body {
		body[i] = byte(32 + i*7%90)
	}
	length := fmt.Sprint(len(body))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Length", length)
		w.Write(body)
	})
}

// source is the upstream: about 1 KB of JSON.
func source() http.Handler {
	type item struct {
		ID    int    `json:"id"`
		Title string `json:"title"`
	}
	data := struct {
		Name  string `json:"name"`
		Items []item `json:"items"`
	}{Name: "catalogue"}
	for i := range 25 {
		data.Items = append(data.Items, item{i, fmt.Sprintf("Item number %d", i)})
	}
	body, err := json.Marshal(data)
	if err != nil {
		panic(err) // of constants
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Write(body)
	})
}
