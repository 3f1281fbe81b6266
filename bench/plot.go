package main

import (
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/nano-runtime/nano/bench/stack"
)

// The plot, in pixels: a band for each row, a lane in it for each stack.
const (
	plotWidth = 960
	plotLeft  = 250
	plotRight = 930
	plotTop   = 96
	lane      = 9
	bandGap   = 12
	minLanes  = 3

	labelLength = 36 // characters of a line left of the lanes
)

func colour(k stack.Kind) string {
	switch k {
	case stack.NginxDeno:
		return "#0072b2"
	case stack.NginxNode:
		return "#009e73"
	case stack.CaddyDeno:
		return "#56b4e9"
	case stack.Workerd:
		return "#d55e00"
	case stack.WorkerdRouter:
		return "#e69f00"
	case stack.Deno:
		return "#222222"
	case stack.Node:
		return "#117733"
	}
	return "#cc79a7"
}

// dot is one comparison.
type dot struct {
	kind stack.Kind
	ratio
}

// wrap breaks a text into lines of at most so many characters, where it can.
func wrap(text string, length int) []string {
	var lines []string
	for word := range strings.FieldsSeq(text) {
		if n := len(lines); n > 0 && len(lines[n-1])+1+len(word) <= length {
			lines[n-1] += " " + word
		} else {
			lines = append(lines, word)
		}
	}
	return lines
}

// drawPlot draws, as SVG, NANO's throughput divided by that of each other stack:
// a dot for the median, a line for the middle half, on a logarithmic scale.
func drawPlot(w io.Writer, rows []*row) {
	var titles []string
	var bands [][]dot
	least, most := 0.5, 2.0
	for _, r := range rows {
		var dots []dot
		for _, k := range stack.Kinds() {
			c, ok := compare(r.of(stack.Nano, throughput), r.of(k, throughput))
			if !ok || k == stack.Nano {
				continue
			}
			dots = append(dots, dot{k, c})
			least, most = min(least, c.low), max(most, c.high)
		}
		if len(dots) > 0 {
			titles, bands = append(titles, r.title), append(bands, dots)
		}
	}
	low, high := math.Floor(math.Log2(least)), math.Ceil(math.Log2(most))
	x := func(ratio float64) float64 {
		return plotLeft + (math.Log2(ratio)-low)/(high-low)*(plotRight-plotLeft)
	}
	height := plotTop + 40
	for _, dots := range bands {
		height += max(len(dots), minLanes)*lane + bandGap
	}
	bottom := height - 40

	fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="system-ui, sans-serif" font-size="12">`+"\n", plotWidth, height)
	fmt.Fprintf(w, `<rect width="%d" height="%d" fill="#fff"/>`+"\n", plotWidth, height)
	fmt.Fprintf(w, `<text x="16" y="26" font-size="16" font-weight="600">Requests a second: NANO divided by …</text>`+"\n")
	fmt.Fprintf(w, `<text x="16" y="44" fill="#555">Right of 1× NANO is faster. Dot: median of all rounds; line: the middle half of them.</text>`+"\n")
	at := 16
	for _, k := range stack.Kinds()[1:] {
		fmt.Fprintf(w, `<circle cx="%d" cy="64" r="4" fill="%s"/><text x="%d" y="68">%s</text>`+"\n", at+4, colour(k), at+13, k)
		at += 34 + 7*len([]rune(string(k)))
	}
	for e := low; e <= high; e++ {
		stroke := "#ddd"
		if e == 0 {
			stroke = "#555"
		}
		fmt.Fprintf(w, `<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="%s"/>`+"\n", x(math.Exp2(e)), x(math.Exp2(e)), plotTop-8, bottom, stroke)
		fmt.Fprintf(w, `<text x="%.1f" y="%d" text-anchor="middle" fill="#555">%v×</text>`+"\n", x(math.Exp2(e)), bottom+18, math.Exp2(e))
	}
	y := plotTop
	for i, dots := range bands {
		lines := wrap(titles[i], labelLength)
		height := max(len(dots), minLanes) * lane
		for j, line := range lines {
			fmt.Fprintf(w, `<text x="%d" y="%d" text-anchor="end" font-size="11">%s</text>`+"\n", plotLeft-10, y+height/2+4+14*j-7*(len(lines)-1), line)
		}
		bottom := y + height
		y += (height - len(dots)*lane) / 2
		for _, d := range dots {
			middle := y + lane/2
			fmt.Fprintf(w, `<g fill="%s" stroke="%s"><title>%s: %s</title><line x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke-width="2"/><circle cx="%.1f" cy="%d" r="3"/></g>`+"\n",
				colour(d.kind), colour(d.kind), d.kind, d.ratio, x(d.low), x(d.high), middle, middle, x(d.median), middle)
			y += lane
		}
		y = bottom + bandGap
		fmt.Fprintf(w, `<line x1="16" x2="%d" y1="%d" y2="%d" stroke="#eee"/>`+"\n", plotRight, y-bandGap/2, y-bandGap/2)
	}
	fmt.Fprintln(w, "</svg>")
}
