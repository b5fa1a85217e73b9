package archbuild

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/archbuild/archbuild/ci"
	"github.com/archbuild/archbuild/manifest"
	"github.com/archbuild/archbuild/outside"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/wrong"
)

// maxRecordFiles bounds what is looked at in a folder of records.
const maxRecordFiles = 10_000

// collect reads the records and gives the whole set.
func (j *joiner) collect(ctx context.Context) ([]ci.Record, error) {
	list, err := j.records(ctx)
	if err != nil {
		return nil, err
	}
	records, err := ci.Collect(list, j.want)
	if incomplete := new(*ci.IncompleteError); errors.As(err, incomplete) && slices.Contains(j.Records, ci.Registry) {
		// The staging tags of a run that was assembled are gone.
		done, again := j.doneBefore(ctx)
		if again != nil {
			return nil, errors.Join(err, again)
		}
		if done != nil {
			j.already = true
			return done, nil
		}
	}
	return records, err
}

// records reads every place that was named.
func (j *joiner) records(ctx context.Context) ([]ci.Sourced, error) {
	var list []ci.Sourced
	var failed []error
	for _, place := range j.Records {
		more, err := j.place(ctx, place)
		list = append(list, more...)
		failed = append(failed, err)
	}
	for _, r := range j.service.Kept {
		list = append(list, ci.Sourced{Record: r, From: j.Plan})
	}
	return list, errors.Join(failed...)
}

func (j *joiner) place(ctx context.Context, place string) ([]ci.Sourced, error) {
	if place == ci.Registry {
		platforms := j.want.Platforms
		if len(platforms) == 0 {
			return nil, &ci.UnknownSetError{}
		}
		for _, kept := range j.service.Kept {
			platforms = slices.DeleteFunc(slices.Clone(platforms), func(p platform.Platform) bool { return p == kept.Platform })
		}
		return stagedRecords(ctx, j.client, j.repos[0], j.run, platforms)
	}
	info, err := os.Stat(place)
	switch {
	case strings.HasPrefix(place, "sha256:"):
		return nil, &wrong.Usage{fmt.Errorf("%s is a digest, and no place of records", place), "write --if-match=" + place + ", with a = between"}
	case errors.Is(err, fs.ErrNotExist):
		return nil, &wrong.Usage{fmt.Errorf("%s: no such file or folder", place), "name the folder or the files that --record wrote, or the word registry"}
	case err != nil:
		return nil, &wrong.Read{What: "the records", Err: err}
	case !info.IsDir():
		folder, name := filepath.Split(place)
		return j.files(cmp.Or(folder, "."), name)
	}
	return j.files(place, "")
}

// files reads one record of a folder, or each file in and below it that ends in .json.
// Nothing outside the folder is read, whatever links in it say: CI systems unpack there what
// other jobs packed.
func (j *joiner) files(folder, only string) ([]ci.Sourced, error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, &wrong.Read{What: "the records", Err: err}
	}
	defer root.Close()
	var list []ci.Sourced
	var failed []error
	read := func(name string) {
		from := filepath.Join(folder, name)
		r, err := recordFile(root, name, from)
		failed = append(failed, err)
		if err == nil && (!j.several || r.Name == j.service.Name) {
			list = append(list, ci.Sourced{Record: r, From: from})
		}
	}
	if only != "" {
		read(only)
		return list, errors.Join(failed...)
	}
	seen := 0
	err = fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if seen++; seen > maxRecordFiles {
			return fmt.Errorf("%s holds more than %d files", folder, maxRecordFiles)
		}
		if !entry.IsDir() && strings.HasSuffix(name, ".json") {
			read(name)
		}
		return nil
	})
	if err != nil {
		failed = append(failed, &wrong.Read{What: "the records", Err: err})
	}
	return list, errors.Join(failed...)
}

func recordFile(root *os.Root, name, from string) (ci.Record, error) {
	info, err := root.Lstat(name)
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is no regular file")
	}
	if err != nil {
		return ci.Record{}, &ci.RecordError{From: from, Problem: err.Error(), Help: "take the files that --record wrote, and no links to them"}
	}
	file, err := root.Open(name)
	if err != nil {
		return ci.Record{}, &ci.RecordError{From: from, Problem: err.Error(), Help: "is the file readable?"}
	}
	defer file.Close()
	return ci.ReadRecord(from, file)
}

// doneBefore gives the records of this very run if all tags name what was made of them.
func (j *joiner) doneBefore(ctx context.Context) ([]ci.Record, error) {
	named, err := namedNow(ctx, j.client, j.Tags)
	if err != nil {
		return nil, err
	}
	var index digest.Digest
	for _, d := range named {
		if d == "" || index != "" && d != index {
			return nil, nil
		}
		index = d
	}
	remembered, err := remembered(ctx, j.client, j.repos[0], index, j.run)
	if err != nil || remembered == nil {
		return nil, err
	}
	var list []ci.Sourced
	for _, r := range remembered {
		list = append(list, ci.Sourced{Record: r, From: j.repos[0] + "@" + index.String()})
	}
	records, err := ci.Collect(list, j.want)
	if err != nil {
		return nil, nil // It was another set.
	}
	same, err := j.makes(ctx, records, index)
	if err != nil || !same {
		return nil, err
	}
	return records, nil
}

// makes tells whether records make this index.
func (j *joiner) makes(ctx context.Context, records []ci.Record, index digest.Digest) (bool, error) {
	dry := *j
	dry.DryRun = true
	made, err := dry.assemble(ctx, records)
	return made.Digest == index, err
}

// writeFiles writes the summary and the metadata.
func (j *joiner) writeFiles(made CIAssembled) error {
	failed := []error{j.writeSummary(made.Markdown(j.Tags))}
	metadata, err := made.metadata()
	if err == nil && j.MetadataFile != "" {
		err = outside.WriteWhole(j.MetadataFile, metadata)
	}
	if err == nil {
		err = j.WriteOutputs(made.Digest.String(), j.Tags, metadata)
	}
	return errors.Join(append(failed, err)...)
}

// writeSummary adds Markdown to --summary, and to the page of the job.
func (o CIAssembleOptions) writeSummary(markdown []byte) error {
	var failed []error
	for _, path := range []string{o.Summary, o.Getenv("GITHUB_STEP_SUMMARY")} {
		if path != "" {
			failed = append(failed, outside.AppendFile(path, markdown))
		}
	}
	return errors.Join(failed...)
}

// metadata are buildx's keys.
func (a CIAssembled) metadata() ([]byte, error) {
	return manifest.Metadata(ocispec.Descriptor{MediaType: a.MediaType, Digest: a.Digest, Size: a.Size}, "", a.names)
}
