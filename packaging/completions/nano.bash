# bash completion for nano, where that is a name of nanod -*- shell-script -*-

if [[ $(readlink -f "$(type -P nano)") == */nanod ]]; then
	. /usr/share/bash-completion/completions/nanod
	complete -o bashdefault -o default -F _nanod nano
fi
