package schedule_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/archbuild/archbuild/builder/schedule"
)

func TestFirst(t *testing.T) {
	s := schedule.New([]schedule.Node{{Name: "a"}, {Name: "b"}})
	s.Add(schedule.Job{Options: []schedule.Option{{Node: 0}, {Node: 1}}})
	s.Add(schedule.Job{Options: []schedule.Option{{Node: 0, Way: schedule.Emulated}, {Node: 1}}})
	if diff := cmp.Diff([]schedule.Start{{Job: 0, Node: 0}, {Job: 1, Node: 1}}, s.Next()); diff != "" {
		t.Error(diff)
	}
}
