// Package daemon makes a program a good daemon: it owns the sockets, the HTTP front end,
// generations (a new process takes over from the old one without losing a connection),
// what systemd is told, the watchdog, signals and the drain. It knows nothing of apps
// and JavaScript: each request goes to one Handler.
package daemon
