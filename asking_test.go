package archbuild_test

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/archbuild/archbuild"
	"github.com/archbuild/archbuild/outside"
)

func TestARegistryThatStaysSilentIsNamed(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // which the system accepts for, and nobody answers
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	folder := t.TempDir()
	host := silent.Addr().String()
	if err := os.WriteFile(filepath.Join(folder, "Dockerfile"), []byte("FROM "+host+"/a\nFROM "+host+"/b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	var stderr bytes.Buffer
	_, err = archbuild.Rewrite(ctx, archbuild.RewriteOptions{Options: archbuild.Options{
		Paths: []string{folder}, Engine: outside.Engine{State: t.TempDir()}, System: outside.System{Stderr: &stderr},
	}})
	if err == nil {
		t.Error("it was answered")
	}
	if n := strings.Count(stderr.String(), "archbuild: waiting for "+host+", asked for "+host+"/"); n != 1 || strings.Count(stderr.String(), "\n") != 1 {
		t.Errorf("%d lines tell what is waited for:\n%s", n, &stderr)
	}
}

func TestPortAsksARegistryThatStaysSilentOnce(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	folder := t.TempDir()
	host := silent.Addr().String()
	if err := os.WriteFile(filepath.Join(folder, "Dockerfile"), []byte("FROM "+host+"/amd64/a\nFROM "+host+"/tool-x86_64:1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	done, err := archbuild.Port(t.Context(), archbuild.PortOptions{Options: archbuild.Options{
		Paths: []string{folder}, Engine: outside.Engine{State: t.TempDir()},
	}})
	if err != nil || len(done.Notes) != 1 || !strings.Contains(done.Notes[0], host) {
		t.Errorf("%v, %q", err, done.Notes)
	}
	if took := time.Since(began); took > 18*time.Second { // lint's patience is 10 s
		t.Errorf("it took %v", took)
	}

	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	done, err = archbuild.Port(ctx, archbuild.PortOptions{Write: true, Options: archbuild.Options{
		Paths: []string{folder}, Engine: outside.Engine{State: t.TempDir()},
	}})
	if err == nil || done.File != "" {
		t.Errorf("what was interrupted is reported as done: %v, %+v", err, done)
	}
}
