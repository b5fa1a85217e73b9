package manifest

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
)

// journalAge is how long what a registry confirmed is believed. Registries clear
// away unfinished uploads after a day or a week.
const journalAge = 12 * time.Hour

// Journal remembers in a folder what registries have confirmed, so that a push
// that was interrupted goes on where it stopped: which blobs a repository took,
// and where an upload that was begun can be continued.
//
// It is a hint and never a truth: a repository that turns out to lack a blob is
// filled anew. A repository's page is removed when a push to it is done. The zero
// value remembers nothing.
type Journal struct {
	// Dir is made when something is written. Its files are for the user alone, since
	// the address of an upload can hold a secret.
	Dir string
}

// page opens what is known of a repository.
func (j Journal) page(repo string) *page {
	p := &page{blobs: map[digest.Digest]entry{}}
	if j.Dir == "" {
		return p
	}
	sum := sha256.Sum256([]byte(repo))
	p.path = filepath.Join(j.Dir, hex.EncodeToString(sum[:])+".jsonl")
	p.load()
	return p
}

// page is what is known of one repository: a file of one line for each news.
type page struct {
	path string

	mu    sync.Mutex
	blobs map[digest.Digest]entry
	file  *os.File
	// failed is the first error of writing; the push goes on without remembering.
	failed error
}

// entry is a line of the file: the blob is there, or is on its way.
type entry struct {
	Blob  digest.Digest `json:"blob"`
	There bool          `json:"there,omitempty"`
	// Upload is where the registry takes the rest.
	Upload string `json:"upload,omitempty"`
}

// load reads the file. What cannot be read was not remembered.
func (p *page) load() {
	info, err := os.Stat(p.path)
	if err != nil || time.Since(info.ModTime()) > journalAge {
		os.Remove(p.path)
		return
	}
	f, err := os.Open(p.path)
	if err != nil {
		return
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var e entry
		if json.Unmarshal(lines.Bytes(), &e) == nil && e.Blob.Validate() == nil {
			p.blobs[e.Blob] = e
		}
	}
}

// confirmed tells whether the registry said that it has the blob.
func (p *page) confirmed(d digest.Digest) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.blobs[d].There
}

// confirm writes down that it has.
func (p *page) confirm(d digest.Digest) { p.note(entry{Blob: d, There: true}) }

// Location is where an upload goes on; see registry.Unfinished.
func (p *page) Location(_ string, d digest.Digest) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.blobs[d].Upload
}

// Remember writes down where an upload goes on; "" forgets it.
func (p *page) Remember(_ string, d digest.Digest, location string) {
	p.note(entry{Blob: d, Upload: location})
}

func (p *page) note(e entry) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.blobs[e.Blob] == e || e == (entry{Blob: e.Blob}) && p.blobs[e.Blob] == (entry{}) {
		return
	}
	p.blobs[e.Blob] = e
	if p.path == "" || p.failed != nil {
		return
	}
	p.failed = p.write(e)
}

// write appends one line by one write, so that processes that push to the same
// repository do not tear each other's lines.
func (p *page) write(e entry) error {
	if p.file == nil {
		if err := os.MkdirAll(filepath.Dir(p.path), 0o700); err != nil {
			return err
		}
		f, err := os.OpenFile(p.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		p.file = f
	}
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	_, err = p.file.Write(append(line, '\n'))
	return err
}

// forget drops everything: it turned out to be wrong.
func (p *page) forget() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.blobs)
	return p.remove()
}

// close ends the use of the page; done removes it.
func (p *page) close(done bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if done {
		return p.remove()
	}
	return p.release()
}

func (p *page) remove() error {
	err := p.release()
	if p.path == "" {
		return err
	}
	if e := os.Remove(p.path); e != nil && !errors.Is(e, fs.ErrNotExist) {
		err = errors.Join(err, fmt.Errorf("removing the journal: %w", e))
	}
	return err
}

func (p *page) release() error {
	if p.file == nil {
		return nil
	}
	err := p.file.Close()
	p.file = nil
	return err
}
