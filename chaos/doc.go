// Package chaos holds the apps that mean harm, and the tests that set them on a real
// daemon beside apps that mean none. Each file of apps says in its first line what it
// tries; its name begins with the kind of harm: memory, cpu, growth or escape. An app
// that gets somewhere it must not answers with a text that begins with "escaped".
//
// It owns what a hostile app may and may not bring about. What the limits are is
// package app's and package isolate's.
package chaos
