package assets

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"strings"
)

const (
	ignoreFile = ".assetsignore"
	maxIgnore  = 1 << 20 // bytes of it that are read
)

// A rule is a line of .assetsignore: what it means is what it means to git.
type rule struct {
	parts  []string // between slashes; "**" is any number of them
	folder bool     // it means folders only
	keeps  bool     // it takes back what earlier lines say
}

// parseRules reads lines; what is blank or a comment isn't one.
func parseRules(lines []string) []rule {
	var rules []rule
	for _, line := range lines {
		line = strings.TrimRight(line, " \t\r")
		if line == "" || line[0] == '#' {
			continue
		}
		var r rule
		line, r.keeps = strings.CutPrefix(line, "!")
		line, r.folder = strings.CutSuffix(line, "/")
		if !strings.Contains(line, "/") {
			line = "**/" + line
		}
		r.parts = strings.Split(strings.TrimPrefix(line, "/"), "/")
		rules = append(rules, r)
	}
	return rules
}

// ignores reports whether a file, or a folder that it is in, is not to be served.
func ignores(rules []rule, name string) bool {
	for end := 0; end < len(name) && len(rules) > 0; end++ {
		next := strings.IndexByte(name[end:], '/')
		isFolder := next >= 0
		if end += next; !isFolder {
			end = len(name)
		}
		parts := strings.Split(name[:end], "/")
		ignored := false
		for _, r := range rules {
			if (isFolder || !r.folder) && matches(r.parts, parts) {
				ignored = !r.keeps
			}
		}
		if ignored {
			return true
		}
	}
	return false
}

// matches takes no more steps than there are pairs of a pattern's part and a name's: where
// something doesn't match, only what the last "**" stands for can be made longer.
func matches(pattern, parts []string) bool {
	i, j := 0, 0
	star, from := -1, 0 // where the last "**" is, and what it stands for ends
	for j < len(parts) {
		if i < len(pattern) && pattern[i] == "**" {
			star, from = i, j
			i++
			continue
		}
		if i < len(pattern) {
			if ok, _ := path.Match(pattern[i], parts[j]); ok {
				i, j = i+1, j+1
				continue
			}
		}
		if star < 0 {
			return false
		}
		from++
		i, j = star+1, from
	}
	// A "**" at the end is everything inside, and not the folder itself.
	return i == len(pattern)
}

// readRules reads the folder's own list of what isn't to be served.
func (f *folder) readRules() ([]rule, error) {
	o, err := f.open(ignoreFile)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errIsFolder) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer o.close()
	b, err := io.ReadAll(io.LimitReader(o.osFile(), maxIgnore))
	return parseRules(strings.Split(string(b), "\n")), err
}
