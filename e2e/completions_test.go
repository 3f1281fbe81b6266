//go:build e2e

package e2e

import "testing"

// The shells complete both names, and the editor's not as ours.
func TestCompletions(t *testing.T) {
	eachSuite(t, func(t *testing.T, suite string) {
		m := boot(t, suite)
		m.install("bash-completion", "zsh", "fish", "procps")
		m.installNano()
		m.curl("http://127.0.0.1/")
		m.write("/root/complete.bash", `. /usr/share/bash-completion/bash_completion
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*" COMP_POINT=${#COMP_LINE}
_completion_loader "$1" 2>/dev/null || _comp_load "$1"
complete -p "$1" | grep -o -- '-F [^ ]*' | { read -r _ function; "$function" "$1" "${!#}" "${@: -2:1}"; printf '%s\n' "${COMPREPLY[@]}"; }
`)
		// Zsh completes only on a terminal.
		m.write("/root/complete.zsh", `zmodload zsh/zpty
zpty z 'TERM=dumb PS1=ready zsh -f -i'
zpty -w z 'autoload -Uz compinit && compinit -u && bindkey "^I" complete-word && setopt no_list_beep auto_list && PS1=set%#'
zpty -r z line '*set#*'
zpty -w -n z "$1"$'\t\t'
zpty -r -t z line; sleep 2; while zpty -r -t z line; do print -r -- "$line"; done
zpty -d z
`)
		for _, name := range []string{"nanod", "nano"} {
			wantContains(t, "bash: "+name, m.run("bash /root/complete.bash "+name+" ''"), "apps", "reload", "serve")
			wantContains(t, "bash: "+name+" re", m.run("bash /root/complete.bash "+name+" re"), "reload")
			wantContains(t, "bash: "+name+" apps", m.run("bash /root/complete.bash "+name+" apps ''"), "list", "remove")
			wantContains(t, "bash: "+name+" apps show", m.run("bash /root/complete.bash "+name+" apps show ''"), "welcome")
			wantContains(t, "fish: "+name, m.run("fish -c 'complete -C \""+name+" re\"'"), "reload")
			wantContains(t, "fish: "+name+" apps show", m.run("fish -c 'complete -C \""+name+" apps show \"'"), "welcome")
			wantContains(t, "zsh: "+name, m.run("zsh -f /root/complete.zsh '"+name+" rel'"), "reload")
		}
		m.install("nano")
		m.fails("bash /root/complete.bash nano '' | grep -x apps")
		m.fails("fish -c 'complete -C \"nano re\"' | grep -x 'reload.*'")
		m.fails("zsh -f /root/complete.zsh 'nano rel' | grep -q reload")
	})
}
