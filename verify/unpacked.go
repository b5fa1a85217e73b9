package verify

// unpacked holds what layers unpack to against what the config says of it. Runtimes do so
// as well, but for one case: what they have under that digest already they take without
// unpacking anything, so an image with a wrong one can run other files than were looked at.
// Layers of the base are not read; the caller knows what theirs are.
func (s *subject) unpacked(scans []scan) []Finding {
	var list []Finding
	for i := s.base; i < min(len(s.layers), len(s.config.RootFS.DiffIDs)); i++ { // that their numbers differ is told elsewhere
		if isForeign(s.manifest.Layers[i]) {
			continue // not among those that were read
		}
		is, said := scans[0].unpacked, s.config.RootFS.DiffIDs[i]
		if scans = scans[1:]; is == said {
			continue
		}
		digest := s.manifest.Layers[i].Digest.String()
		list = append(list, Finding{
			Severity: SeverityError, Kind: KindInvalid, Digest: digest,
			Found: "layer " + digest + ", which unpacks to " + is.String(), Wanted: "one that unpacks to " + printable(said.String()),
			Why: "as the config says",
		})
	}
	return list
}
