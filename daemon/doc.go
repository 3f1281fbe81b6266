// Package daemon makes a program a good daemon: it owns the sockets, the HTTP front end,
// generations (a new process takes over from the old one without losing a connection),
// what systemd is told, the watchdog, signals and the drain. It knows nothing of apps
// and JavaScript: each request goes to one [Handler], as an [Exchange].
//
// # What clients can rely on, and what not
//
// HTTP/1.0 and 1.1 are spoken by this package (their syntax is package http1's), HTTP/2
// without TLS by net/http; the first bytes of a connection decide. A trusted proxy may
// begin a connection with a PROXY protocol header, version 1 or 2.
//
// The connections are shared out among workers, one a core (poller.go). A handler runs on one
// of them: where it has to wait it says so, or suspends the exchange.
//
// An app is told of the client by the URL, as the client wrote it, and by the fields
// host, x-forwarded-for (one address), x-forwarded-proto and x-request-id, which are
// always right. Whatever else of X-Forwarded-*, Forwarded, X-Real-IP and X-Request-Id a
// client or proxy sends never gets further than here; x-forwarded-host isn't needed,
// because host has it. Expect and Transfer-Encoding are dealt with here, too.
//
// Limits: a head has 32 KiB and 200 fields (431) and a target of 16 KiB (414), and must
// come within 10 seconds (408). A client that is waited for must send, or take, 1 KiB in
// 20 seconds (408, or the end). A connection may be idle for 75 seconds. There are as
// many connections as half of the file descriptors, 16,384 at most; one address has half
// of those. At either limit, the ones that wait longest for a request are given up for
// new ones. A sixteenth of them can speak HTTP/2, with 128 streams each.
package daemon
