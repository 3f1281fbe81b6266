package main

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"
)

// starter is the app that init makes.
//
//go:embed all:starter
var starter embed.FS

func initCommand() *cli.Command {
	return &cli.Command{
		Name:      "init",
		Usage:     "make a new app that works",
		ArgsUsage: "[DIR]",
		Description: "Writes a small TypeScript app into DIR (default: this folder). Nothing that is\n" +
			"there is overwritten.",
		OnUsageError: usageError,
		Action: func(c *cli.Context) error {
			if err := takes(c, 0, 1); err != nil {
				return err
			}
			dir := c.Args().First()
			if dir == "" {
				dir = "."
			}
			if err := writeStarter(dir); err != nil {
				return err
			}
			abs, err := filepath.Abs(dir)
			if err != nil {
				return err
			}
			name := c.App.Name
			_, err = fmt.Fprintf(c.App.Writer, "made an app in %s\n\ntry it:     %s run %s\nserve it:   add to /etc/nano/apps.d/%s.toml\n\n"+
				"    [apps.%s]\n    hosts = [\"%s.example.com\"]\n    root  = %q\n\n            and say: systemctl reload nano\n",
				abs, name, dir, appName(abs), appName(abs), appName(abs), abs)
			return err
		},
	}
}

// writeStarter copies the starter into dir, or fails before it has written anything
// where a file of it is there already.
func writeStarter(dir string) error {
	files, err := fs.Sub(starter, "starter")
	if err != nil {
		return err
	}
	err = fs.WalkDir(files, ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		if _, err := os.Lstat(filepath.Join(dir, path)); err == nil {
			return &failure{fmt.Errorf("%s is there already", filepath.Join(dir, path)), "choose a new folder: init DIR", exitFailed}
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
	if err != nil {
		return err
	}
	return os.CopyFS(dir, files)
}

// appName makes an app's name of its folder's.
func appName(dir string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
			return r
		case 'A' <= r && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}, filepath.Base(dir))
	if name = strings.Trim(name, "-"); name == "" {
		return "app"
	}
	return name
}
