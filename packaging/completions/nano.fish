# fish completion for nano, where that is a name of nanod

if string match -q '*/nanod' (realpath (command -s nano))
    complete -c nano -w nanod
end
