# fish completion for nanod
# The program itself says what may come next; the names of apps come from the
# daemon that runs.

function __nanod_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    if string match -q -- '-*' $current
        set -a words $current
    end
    env _CLI_ZSH_AUTOCOMPLETE_HACK=1 $words --generate-bash-completion 2>/dev/null | string replace -r ':' '\t'
end

complete -c nanod -a '(__nanod_complete)'
