// Package admin is the admin API: HTTP on a unix socket, its server, its client, and the
// types that both share.
//
// It owns who may ask, how a request is read and how an answer looks; what a change does
// is package control's. Errors are RFC 9457 problem+json, with a short stable type.
package admin
