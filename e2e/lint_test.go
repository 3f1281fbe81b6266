//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestLintian(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "lintian", "--allow-root", "--fail-on", "error", filepath.Join(the.shared, "nano.deb")).CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Errorf("lintian: %v", err)
	}
}

// rpmlint looks at the installed package: at a file it would unpack the files into the
// root of the machine, where their names say they belong.
func TestRPMLint(t *testing.T) {
	config, err := os.ReadFile("../packaging/rpmlint.toml")
	if err != nil {
		t.Fatal(err)
	}
	eachSuite(t, func(t *testing.T, suite string) {
		m := bootWithRPM(t, suite)
		m.install("rpmlint")
		m.write("/root/rpmlint.toml", string(config))
		m.run(rpmInstall + "/e2e/nano.rpm")
		out := m.try("rpmlint -c /root/rpmlint.toml --installed nano-runtime").out
		t.Logf("%s", out)
		wantContains(t, "rpmlint", out, "packages: 1", " 0 errors")
	})
}

// Packing the same files again gives the same bytes, wherever and whenever.
func TestPackagesAreReproducible(t *testing.T) {
	again := t.TempDir()
	clone := filepath.Join(again, "clone")
	command(t, "git", "clone", "--quiet", "--no-hardlinks", "..", clone)
	version := strings.TrimSpace(command(t, "dpkg-deb", "--show", "--showformat=${Version}", filepath.Join(the.shared, "nano.deb")))
	version = strings.TrimSuffix(version, "-1")
	build := exec.CommandContext(t.Context(), "make", "--directory="+clone, "deb-amd64", "rpm-amd64", "PACKAGE_VERSION="+version)
	build.Env = append(os.Environ(), "TZ=Pacific/Chatham", "LC_ALL=C.UTF-8", "HOME="+again+"/home")
	build.Env = append(build.Env, goEnv(t)...)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("cannot build a clone: %v\n%s", err, out)
	}
	for name, pattern := range map[string]string{"nano.deb": "*.deb", "nano.rpm": "*.rpm"} {
		made, err := filepath.Glob(filepath.Join(clone, "dist", pattern))
		if err != nil || len(made) != 1 {
			t.Fatalf("the clone made %v", made)
		}
		if cmp := exec.CommandContext(t.Context(), "cmp", made[0], filepath.Join(the.shared, name)); cmp.Run() != nil {
			t.Errorf("%s differs when it is built again", name)
		}
	}
}

// goEnv keeps Go's caches although HOME is another.
func goEnv(t *testing.T) []string {
	var env []string
	for _, name := range []string{"GOCACHE", "GOMODCACHE"} {
		env = append(env, name+"="+strings.TrimSpace(command(t, "go", "env", name)))
	}
	return env
}
