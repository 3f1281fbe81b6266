# bash completion for nanod                               -*- shell-script -*-
# The program itself says what may come next; the names of apps come from the
# daemon that runs.

_nanod() {
	local cur words
	cur=${COMP_WORDS[COMP_CWORD]}
	words=("${COMP_WORDS[@]:0:COMP_CWORD}")
	if [[ $cur == -* ]]; then
		words+=("$cur")
	fi
	mapfile -t COMPREPLY < <(
		compgen -W "$("${words[@]}" --generate-bash-completion 2>/dev/null)" -- "$cur"
	)
} && complete -o bashdefault -o default -F _nanod nanod
