package bake

import (
	"maps"
	"slices"

	"github.com/archbuild/archbuild/project"
)

// Merge lays another block of the same target on top: a value replaces, maps are joined by key. Of the lists,
// tags, platforms, cache-to and output replace, the others are added to. buildx's evaluator calls
// it by this name.
func (t *target) Merge(o *target) {
	t.bases.merge(o.bases, o.Context != nil)
	if t.at.File == "" {
		t.at = o.at
	}
	t.notes = append(t.notes, o.notes...)
	t.joinPlaces(o)
	over(&t.Context, o.Context)
	over(&t.Dockerfile, o.Dockerfile)
	over(&t.DockerfileInline, o.DockerfileInline)
	over(&t.Target, o.Target)
	over(&t.Call, o.Call)
	over(&t.Pull, o.Pull)
	over(&t.NoCache, o.NoCache)
	over(&t.NetworkMode, o.NetworkMode)
	over(&t.ShmSize, o.ShmSize)
	if o.Description != "" {
		t.Description = o.Description
	}

	joinValues(&t.Args, o.Args)
	joinValues(&t.Labels, o.Labels)
	joinValues(&t.ExtraHosts, o.ExtraHosts)
	t.joinContexts(o)

	replace(&t.Tags, o.Tags)
	replace(&t.Platforms, o.Platforms)
	replace(&t.CacheTo, o.CacheTo)
	replace(&t.Outputs, o.Outputs)

	t.Annotations = added(t.Annotations, o.Annotations)
	t.NoCacheFilter = added(t.NoCacheFilter, o.NoCacheFilter)
	t.Ulimits = added(t.Ulimits, o.Ulimits)
	t.Entitlements = added(t.Entitlements, o.Entitlements)
	t.Inherits = added(t.Inherits, o.Inherits)
	t.Policy = added(t.Policy, o.Policy)
	t.CacheFrom = joined(t.CacheFrom, o.CacheFrom, unequal)
	t.Attest = joined(t.Attest, o.Attest, lastOfType)
	t.Secrets = joined(t.Secrets, o.Secrets, lastSecret)
	t.SSH = joined(t.SSH, o.SSH, lastKey)
	if o.Resources != nil {
		t.Resources = t.Resources.merge(o.Resources)
	}
}

// over replaces a value by one that is there.
func over[T any](to **T, from *T) {
	if from != nil {
		*to = from
	}
}

// replace replaces a list by one that is there, though it be empty.
func replace[S ~[]T, T any](to *S, from S) {
	if from != nil {
		*to = slices.Clone(from)
	}
}

// added is one list behind another, in a slice of its own: targets share what they have inherited.
func added[S ~[]T, T any](list, more S) S {
	if more == nil {
		return list
	}
	return append(slices.Clip(slices.Clone(list)), more...)
}

// joined is added, without what is there twice; a list that stays alone stays as it is.
func joined[S ~[]T, T any](list, more S, rid func(S) S) S {
	switch {
	case more == nil:
		return list
	case list == nil:
		return slices.Clone(more)
	}
	return rid(added(list, more))
}

// joinValues joins maps by key; what has no value is not there.
func joinValues(to *map[string]*string, from map[string]*string) {
	for key, value := range from {
		if value == nil {
			continue
		}
		if *to == nil {
			*to = map[string]*string{}
		}
		(*to)[key] = value
	}
}

func (t *target) joinContexts(o *target) {
	if len(o.Contexts) == 0 {
		return
	}
	contexts, places := maps.Clone(t.Contexts), maps.Clone(t.contextsAt)
	if contexts == nil {
		contexts = map[string]string{}
	}
	if places == nil {
		places = map[string]project.Place{}
	}
	maps.Copy(contexts, o.Contexts)
	maps.Copy(places, o.contextsAt)
	t.Contexts, t.contextsAt = contexts, places
}

// joinPlaces takes over where the other block says something.
func (t *target) joinPlaces(o *target) {
	places := maps.Clone(t.places)
	if places == nil {
		places = map[string]project.Place{}
	}
	maps.Copy(places, o.places)
	t.places = places
}

// normalize drops what is there twice or empty; who shares the host's network needs the privilege.
func (t *target) normalize() {
	t.Annotations = distinct(t.Annotations)
	t.Tags = distinct(t.Tags)
	t.Platforms = distinct(t.Platforms)
	t.NoCacheFilter = distinct(t.NoCacheFilter)
	t.Ulimits = distinct(t.Ulimits)
	t.Attest = lastOfType(slices.Clone(t.Attest))
	t.Secrets = lastSecret(slices.Clone(t.Secrets))
	t.SSH = lastKey(slices.Clone(t.SSH))
	t.CacheFrom = unequal(slices.Clone(t.CacheFrom))
	t.CacheTo = unequal(slices.Clone(t.CacheTo))
	t.Outputs = unequal(slices.Clone(t.Outputs))
	if t.NetworkMode != nil && *t.NetworkMode == "host" {
		t.Entitlements = append(slices.Clip(t.Entitlements), "network.host")
	}
	t.Entitlements = distinct(t.Entitlements)
	t.Contexts = maps.Clone(t.Contexts)
	maps.DeleteFunc(t.Contexts, func(_, value string) bool { return value == "" })
}

// unequal drops entries that are equal to an earlier one. The last one comes into the place of what was
// dropped: that is the order in which buildx has them.
func unequal[S ~[]entry](list S) S {
	if len(list) == 0 {
		return nil
	}
	for i := len(list) - 2; i >= 0; i-- {
		for j := i + 1; j < len(list); j++ {
			if list[i].equal(list[j]) {
				list[j] = list[len(list)-1]
				list = list[:len(list)-1]
				break
			}
		}
	}
	return list
}

func lastOfType(list attests) attests {
	return last(list, func(e entry) string { return e.typ })
}

func lastSecret(list secrets) secrets {
	return last(list, func(s secret) string { return s.ID })
}

func lastKey(list sshKeys) sshKeys {
	return last(list, func(k sshKey) string { return k.ID })
}

// last keeps the last entry of each key, in the place of the first.
func last[S ~[]T, T any](list S, key func(T) string) S {
	var kept S
	place := map[string]int{}
	for _, e := range list {
		if i, ok := place[key(e)]; ok {
			kept[i] = e
			continue
		}
		place[key(e)] = len(kept)
		kept = append(kept, e)
	}
	return kept
}
