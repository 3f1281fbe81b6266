package control

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nano-runtime/nano/app"
	"github.com/nano-runtime/nano/config"
)

// watcher notices changes of files, and has them applied.
type watcher struct {
	files *config.Watcher

	mu   sync.Mutex
	apps map[string][]string // by path, whose source it is
	conf map[string]bool     // paths of the configuration
}

// watchFiles begins to watch, if the configuration wants it.
func (c *Controller) watchFiles() {
	if !c.server.Watch {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	w := &watcher{files: config.NewWatcher(ctx, config.WatchOptions{Report: func(err error) { c.log.Info(err.Error()) }})}
	c.watcher.Store(w)
	c.watching.Go(func() {
		<-c.stop
		cancel()
	})
	w.set(c, c.began)
	c.watching.Go(func() {
		for paths := range w.files.Changes() {
			err := c.noticed(w, paths)
			if errors.Is(err, ErrHandedOver) {
				return // files are another process's business now
			}
			if err != nil {
				c.log.Error("cannot apply changed files", "error", err)
			}
		}
	})
}

// watchAgain watches what the apps are made of now. Of what is new among that, changes
// since the moment at which it began to be read count.
func (c *Controller) watchAgain(since time.Time) {
	if w := c.watcher.Load(); w != nil {
		w.set(c, since)
	}
}

// set says what to watch. What has changed since the moment given counts, too.
func (w *watcher) set(c *Controller, since time.Time) {
	cfg := c.Config()
	apps := sources(c.set.Apps())
	conf := make(map[string]bool, len(cfg.Files))
	files := slices.Clone(cfg.Files)
	for _, f := range files {
		conf[f] = true
	}
	for path := range apps {
		files = append(files, path)
	}
	w.mu.Lock()
	w.apps, w.conf = apps, conf
	w.mu.Unlock()
	w.files.Set(files, nil, since)
}

// concerns says whether changed paths may change the configuration, and of which apps
// they are.
func (w *watcher) concerns(paths []string) (conf bool, names []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range paths {
		// Of a folder that is watched the files are told.
		for _, known := range []string{p, filepath.Dir(p)} {
			conf = conf || w.conf[known]
			for _, name := range w.apps[known] {
				if !slices.Contains(names, name) {
					names = append(names, name)
				}
			}
		}
	}
	slices.SortFunc(names, strings.Compare)
	return conf, names
}

// noticed applies changes of files. What turns out to change nothing is no news.
func (c *Controller) noticed(w *watcher, paths []string) error {
	conf, names := w.concerns(paths)
	if !conf && len(names) == 0 {
		return nil
	}
	return c.change(context.Background(), func(ctx context.Context) error {
		c.refresh(ctx, conf, names)
		return nil
	})
}

// refresh is reload for files that have changed: conf says that some are of the
// configuration. Problems of the configuration don't keep an app from getting its new
// code.
func (c *Controller) refresh(ctx context.Context, conf bool, names []string) {
	const by = "file"
	began := time.Now()
	cfg, err := c.load(config.Options{})
	if cfg == nil {
		if conf {
			c.reject(began, by, err)
		}
		if cfg = c.Config(); len(names) == 0 {
			return
		}
	}
	change := c.set.Refresh(ctx, cfg, by, names...)
	c.adopt(cfg)
	o := c.outcome(began, by, change)
	if err == nil {
		o.Notes = append(o.Notes, c.serverNotes(cfg.Server)...)
	}
	if len(o.Added)+len(o.Changed)+len(o.Removed)+len(o.Failed) > 0 {
		c.settle(o)
		c.leave()
	}
	c.watchAgain(began)
}

// sources are the paths that apps are made of, and whose they are.
func sources(apps []*app.App) map[string][]string {
	by := make(map[string][]string)
	for _, a := range apps {
		i := a.Info()
		paths := append([]string{i.Config.Root, i.Config.Entry}, i.Sources...)
		for _, p := range paths {
			if p != "" && !slices.Contains(by[p], a.Name) {
				by[p] = append(by[p], a.Name)
			}
		}
	}
	return by
}

// Watching reports whether changes of files are noticed.
func (c *Controller) Watching() bool { return c.watcher.Load() != nil }
