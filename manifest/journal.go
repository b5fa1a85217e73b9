package manifest

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"
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
	j.sweep()
	sum := sha256.Sum256([]byte(repo))
	p.path = filepath.Join(j.Dir, hex.EncodeToString(sum[:])+".jsonl")
	p.load()
	return p
}

// done removes the page of a repository that turned out to hold everything: who wrote
// it was killed before it could. Another push may be busy with it.
func (j Journal) done(repo string) {
	if j.Dir == "" {
		return
	}
	p := j.page(repo)
	p.close(p.file != nil && p.lock())
}

// sweep removes pages that nobody believes any more; they may hold secrets.
func (j Journal) sweep() {
	pages, err := filepath.Glob(filepath.Join(j.Dir, "*.jsonl"))
	if err != nil {
		return
	}
	for _, page := range pages {
		if len(filepath.Base(page)) != 2*sha256.Size+len(".jsonl") {
			continue // not made here
		}
		if info, err := os.Stat(page); err == nil && time.Since(info.ModTime()) > journalAge {
			_ = os.Remove(page) // Next time.
		}
	}
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

// line is an entry as the file has it: with the sum of the same line without it, so that
// half a line, or one that a disk has changed, is none.
func (e entry) line() ([]byte, error) {
	type summed struct {
		entry
		Sum string `json:"sum,omitempty"`
	}
	bare, err := json.Marshal(summed{e, ""})
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(bare)
	return json.Marshal(summed{e, hex.EncodeToString(sum[:8])})
}

// load reads the file. What cannot be read was not remembered. Uploads that another
// push has begun and is busy with are left to it.
func (p *page) load() {
	f, err := os.OpenFile(p.path, os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		return
	}
	p.file = f
	busy := !p.lock()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var e entry
		if json.Unmarshal(lines.Bytes(), &e) != nil || e.Blob.Validate() != nil {
			continue
		}
		if written, err := e.line(); err != nil || !bytes.Equal(lines.Bytes(), written) {
			continue
		}
		if busy {
			e.Upload = ""
		}
		p.blobs[e.Blob] = e
	}
}

// lock marks the page as in use as long as its file is open; false means that
// another push uses it.
func (p *page) lock() bool {
	return unix.Flock(int(p.file.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil
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
		p.lock() // Whoever was first has it.
	}
	line, err := e.line()
	if err != nil {
		return err
	}
	_, err = p.file.Write(append(line, '\n'))
	return err
}

// distrust drops what was confirmed: some of it turned out to be wrong. Uploads
// that were begun stay: about them the registry is asked anyway.
func (p *page) distrust() {
	p.mu.Lock()
	var confirmed []digest.Digest
	for d, e := range p.blobs {
		if e.There {
			confirmed = append(confirmed, d)
		}
	}
	p.mu.Unlock()
	for _, d := range confirmed {
		p.note(entry{Blob: d})
	}
}

// close ends the use of the page; done removes it. That a page stays is no harm.
func (p *page) close(done bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if done && p.path != "" {
		_ = os.Remove(p.path)
	}
	if p.file != nil {
		_ = p.file.Close()
		p.file = nil
	}
}
