#compdef nanod
# The program itself says what may come next; the names of apps come from the
# daemon that runs.

local -a words_before replies
words_before=(${words[1,CURRENT-1]})
if [[ ${words[CURRENT]} == -* ]]; then
	words_before+=(${words[CURRENT]})
fi
replies=(${(f)"$(_CLI_ZSH_AUTOCOMPLETE_HACK=1 ${words_before} --generate-bash-completion 2>/dev/null)"})
if (( $#replies )); then
	_describe 'nanod' replies
else
	_files
fi
