package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/urfave/cli/v2"

	"github.com/nano-runtime/nano/admin"
)

func addCommand() *cli.Command {
	return &cli.Command{
		Name:      "add",
		Usage:     "add an app, or replace one",
		ArgsUsage: "[NAME]",
		Description: "Either of flags:\n" +
			"  apps add blog --host blog.example.com --root /srv/blog --limit memory=64MiB\n" +
			"or of a file, which holds the keys of an app's table as TOML or JSON:\n" +
			"  apps add blog -f blog.toml\n" +
			"The app is loaded and warmed first; where that fails nothing changes.",
		Flags: []cli.Flag{
			socketFlag(), jsonFlag(),
			&cli.StringFlag{Name: "file", Aliases: []string{"f"}, Usage: "read the app from `FILE`, .toml or .json; - is stdin, as JSON"},
			&cli.StringSliceFlag{Name: "host", Usage: "a `HOST` of the app; may be given again"},
			&cli.StringFlag{Name: "root", Usage: "the app's `FOLDER`"},
			&cli.StringFlag{Name: "entry", Usage: "its entry module, a `FILE` under root"},
			&cli.StringFlag{Name: "assets", Usage: "a `FOLDER` of static files under root"},
			&cli.StringSliceFlag{Name: "env", Usage: "`NAME=VALUE` for the app; may be given again"},
			&cli.StringSliceFlag{Name: "secret", Usage: "`NAME=REFERENCE`, such as DB_URL=credential:blog-db; may be given again"},
			&cli.StringSliceFlag{Name: "egress", Usage: "a private `NETWORK` or host that fetch may reach; may be given again"},
			&cli.StringSliceFlag{Name: "limit", Usage: "`KIND=VALUE`, such as memory=64MiB; may be given again"},
			&cli.StringFlag{Name: "idle", Usage: "the `TIME` without requests after which the app sleeps"},
			&cli.BoolFlag{Name: "default", Usage: "take the hosts that nobody claims"},
			&cli.BoolFlag{Name: "disabled", Usage: "don't serve it yet"},
			&cli.BoolFlag{Name: "replace", Usage: "replace the app if there is one"},
			&cli.StringFlag{Name: "if-match", Usage: "replace it only while it is what this `ETAG` stands for"},
		},
		OnUsageError: usageError,
		Action: func(c *cli.Context) error {
			if err := takes(c, 0, 1); err != nil {
				return err
			}
			name, body, file, err := readApp(c)
			if err != nil {
				return err
			}
			var d *admin.Detail
			if c.Bool("replace") || c.IsSet("if-match") {
				d, err = client(c).Put(c.Context, name, body, c.String("if-match"))
			} else {
				d, err = client(c).Add(c.Context, body)
			}
			var refused *admin.Error
			if errors.As(err, &refused) {
				nameFile(refused, file)
				if refused.Type == admin.TypeConflict {
					refused.Hint = "apps add --replace"
				}
			}
			if err != nil {
				return explain(err)
			}
			if c.Bool("json") {
				return printJSON(c.App.Writer, d)
			}
			return printOutcome(c.App.Writer, d)
		},
	}
}

// nameFile puts the name of a JSON file that was sent as it is into the problems that the
// daemon found in it.
func nameFile(e *admin.Error, file string) {
	if filepath.Ext(file) != ".json" {
		return
	}
	for i := range e.Problems {
		if e.Problems[i].File == request {
			e.Problems[i].File = file
		}
	}
}

// readApp makes JSON of the flags, or of the file. sentFile is the file whose text body is,
// if it is one's.
func readApp(c *cli.Context) (name string, body []byte, sentFile string, err error) {
	name = c.Args().First()
	app := make(map[string]any)
	file := c.String("file")
	if file != "" {
		var sent []byte
		if app, sent, err = readFile(c, file, name); err != nil {
			return "", nil, "", err
		}
		given, _ := app["name"].(string)
		if name == "" {
			name = given
		}
		// Paths start at the folder of the file, as in the files of the configuration.
		secrets, _ := app["secrets"].(map[string]any)
		for name, value := range secrets {
			if ref, _ := value.(string); ref != absoluteRef(ref, filepath.Dir(file)) {
				secrets[name], sent = absoluteRef(ref, filepath.Dir(file)), nil
			}
		}
		root, _ := app["root"].(string)
		if root != "" && !filepath.IsAbs(root) {
			if app["root"], err = filepath.Abs(filepath.Join(filepath.Dir(file), root)); err != nil {
				return "", nil, "", err
			}
			sent = nil
		}
		if given == name && sent != nil && !setByFlags(c) {
			return name, sent, file, nil
		}
	}
	if name == "" {
		return "", nil, "", &failure{errors.New("the app has no name"), "see " + helpOf(c), exitUsage}
	}
	if err := fromFlags(c, app); err != nil {
		return "", nil, "", &failure{err, "see " + helpOf(c), exitUsage}
	}
	app["name"] = name
	if len(app) == 1 && file == "" {
		return "", nil, "", &failure{errors.New("the app has neither hosts nor a folder"), "apps add " + name + " --host HOST --root FOLDER", exitUsage}
	}
	body, err = json.Marshal(app)
	return name, body, "", err
}

// readFile reads an app from a file. sent is its text where the daemon can read that.
func readFile(c *cli.Context, file, name string) (app map[string]any, sent []byte, err error) {
	var data []byte
	if file == "-" {
		data, err = io.ReadAll(c.App.Reader)
	} else {
		data, err = os.ReadFile(file)
	}
	if err != nil {
		return nil, nil, err
	}
	if filepath.Ext(file) != ".toml" {
		if err := json.Unmarshal(data, &app); err != nil {
			if setByFlags(c) {
				return nil, nil, fmt.Errorf("%s is no JSON object: %w", file, err)
			}
			// The daemon says better what is wrong with it.
			return map[string]any{"name": cmp.Or(name, "app")}, data, nil
		}
		return app, data, nil
	}
	if err := toml.Unmarshal(data, &app); err != nil {
		var at *toml.DecodeError
		if errors.As(err, &at) {
			row, column := at.Position()
			err = fmt.Errorf("%s:%d:%d: %s", file, row, column, strings.TrimPrefix(at.Error(), "toml: "))
		}
		return nil, nil, err
	}
	return ofTable(app, name, file)
}

// ofTable takes an app out of its table [apps.NAME], if it has one.
func ofTable(doc map[string]any, name, file string) (map[string]any, []byte, error) {
	apps, ok := doc["apps"].(map[string]any)
	if !ok {
		return doc, nil, nil
	}
	if name == "" && len(apps) == 1 {
		for only := range apps {
			name = only
		}
	}
	app, ok := apps[name].(map[string]any)
	if !ok || len(doc) > 1 {
		return nil, nil, fmt.Errorf("%s is no file of one app: it should have [apps.NAME] and no other table, or just an app's keys", file)
	}
	app["name"] = name
	return app, nil, nil
}

var appFlags = []string{"host", "root", "entry", "assets", "env", "secret", "egress", "limit", "idle", "default", "disabled"}

func setByFlags(c *cli.Context) bool {
	for _, f := range appFlags {
		if c.IsSet(f) {
			return true
		}
	}
	return false
}

// absoluteRef is where a secret comes from, with a file in dir named in full: the daemon
// is in another folder.
func absoluteRef(ref, dir string) string {
	path, isFile := strings.CutPrefix(ref, "file:")
	if !isFile || path == "" || filepath.IsAbs(path) {
		return ref
	}
	if abs, err := filepath.Abs(filepath.Join(dir, path)); err == nil {
		path = abs
	}
	return "file:" + path
}

// fromFlags adds to an app what the flags say.
func fromFlags(c *cli.Context, app map[string]any) error {
	for flag, key := range map[string]string{"entry": "entry", "assets": "assets", "idle": "idle"} {
		if c.IsSet(flag) {
			app[key] = c.String(flag)
		}
	}
	if c.IsSet("root") {
		root, err := filepath.Abs(c.String("root")) // from here, not from where the daemon is
		if err != nil {
			return err
		}
		app["root"] = root
	}
	for flag, key := range map[string]string{"host": "hosts", "egress": "egress"} {
		if c.IsSet(flag) {
			app[key] = c.StringSlice(flag)
		}
	}
	if c.IsSet("default") {
		app["default"] = c.Bool("default")
	}
	if c.IsSet("disabled") {
		app["enabled"] = !c.Bool("disabled")
	}
	for flag, key := range map[string]string{"env": "env", "secret": "secrets", "limit": "limits"} {
		pairs, _ := app[key].(map[string]any)
		for _, pair := range c.StringSlice(flag) {
			name, value, ok := strings.Cut(pair, "=")
			if !ok {
				return fmt.Errorf("--%s %s: write %s", flag, pair, "NAME=VALUE")
			}
			if pairs == nil {
				pairs = make(map[string]any)
			}
			if flag == "secret" {
				value = absoluteRef(value, ".")
			}
			pairs[name] = value
			if n, err := strconv.Atoi(value); err == nil && flag == "limit" {
				pairs[name] = n
			}
		}
		if pairs != nil {
			app[key] = pairs
		}
	}
	return nil
}
