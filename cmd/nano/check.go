package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"github.com/nano-runtime/nano/config"
)

func checkCommand() *cli.Command {
	return &cli.Command{
		Name:  "check",
		Usage: "say all that is wrong in the configuration",
		Description: "Reads the configuration, and starts nothing. Prints every problem as file:line:column:\n" +
			"what is wrong, and what would be right; or, where there is none, the hosts and their\n" +
			"apps. It reads as its user, who may see other files than the daemon's does, and doesn't\n" +
			"compile the apps' code.",
		Flags:        []cli.Flag{configFlag(), &cli.BoolFlag{Name: "json", Usage: "as JSON"}},
		OnUsageError: usageError,
		Action: func(c *cli.Context) error {
			if err := takes(c, 0, 0); err != nil {
				return err
			}
			cfg, err := config.Load(configOptions(c.String("config")))
			var problems config.Problems
			if err != nil && !errors.As(err, &problems) {
				return err
			}
			if c.Bool("json") {
				return checkJSON(c.App.Writer, cfg, problems)
			}
			if len(problems) > 0 {
				fmt.Fprintln(c.App.Writer, problems)
				return &failure{fmt.Errorf("%d %s", len(problems), plural(len(problems), "problem")), "", exitFailed}
			}
			return hostTable(c.App.Writer, cfg)
		},
	}
}

func plural(n int, word string) string {
	if n == 1 {
		return word
	}
	return word + "s"
}

// hostTable prints which host goes to which app.
func hostTable(w io.Writer, cfg *config.Config) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "HOST\tAPP\tENTRY\tASSETS\tLIMITS")
	for _, a := range cfg.Apps {
		hosts := make([]string, 0, len(a.Hosts)+1)
		for _, h := range a.Hosts {
			hosts = append(hosts, h.String())
		}
		if a.Default {
			hosts = append(hosts, "(any other)")
		}
		name := a.Name
		if !a.Enabled {
			name += " (disabled)"
		}
		for _, h := range hosts {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", h, name, orDash(a.Entry), orDash(a.Assets), a.Limits)
		}
	}
	return t.Flush()
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func checkJSON(w io.Writer, cfg *config.Config, problems config.Problems) error {
	type host struct {
		Host string `json:"host"`
		App  string `json:"app"`
	}
	out := struct {
		Problems config.Problems `json:"problems"`
		Hosts    []host          `json:"hosts"`
	}{Problems: problems, Hosts: []host{}}
	if problems == nil {
		out.Problems = config.Problems{}
	}
	if cfg != nil {
		for _, a := range cfg.Apps {
			for _, h := range a.Hosts {
				out.Hosts = append(out.Hosts, host{h.String(), a.Name})
			}
			if a.Default {
				out.Hosts = append(out.Hosts, host{"", a.Name})
			}
		}
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	if err := enc.Encode(out); err != nil {
		return err
	}
	if len(problems) > 0 {
		return &failure{nil, "", exitFailed}
	}
	return nil
}
