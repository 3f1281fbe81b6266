// Package e2e proves, on a real systemd, what the packages promise: it boots
// Debian 12 and 13 in throw-away containers, installs what `make deb rpm` made,
// and is the client, the operator and the misfortune. `make e2e` runs it, as root.
//
// It owns the containers and the load on them. What the daemon does without
// systemd is tested beside the daemon.
package e2e
