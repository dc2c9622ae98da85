package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"wfs/formats/checkpoint"
	"wfs/formats/digest"
	"wfs/formats/tree"
	"wfs/formats/view"
)

// SumOptions are the flags of wfs sum.
type SumOptions struct {
	ViewOptions
	ProgressOptions
	JSON   bool
	Raw    bool
	Check  string
	Quiet  bool
	Status bool
}

// AddFlags registers the flags. What is set already is their default.
func (o *SumOptions) AddFlags(flags *pflag.FlagSet) {
	flags.StringVarP(&o.Check, "check", "c", o.Check, "compare with the sums in `FILE` (- is stdin), as sha256sum -c does")
	flags.BoolVar(&o.Quiet, "quiet", o.Quiet, "with --check, do not print OK for each tensor")
	flags.BoolVar(&o.Status, "status", o.Status, "with --check, print nothing: the exit code tells")
	flags.BoolVar(&o.Raw, "raw", o.Raw, "sums of the bare bytes, as meta/SHA256SUMS of a mount has them for raw/")
	flags.BoolVar(&o.JSON, "json", o.JSON, "print JSON")
	o.ProgressOptions.AddFlags(flags)
	o.ViewOptions.AddFlags(flags)
}

// Validate checks the command line.
func (o *SumOptions) Validate(args []string) error {
	switch {
	case len(args) != 1:
		return usagef("sum takes one SOURCE")
	case o.Check == "" && (o.Quiet || o.Status):
		return usagef("--quiet and --status go with --check FILE")
	case o.Check != "" && o.JSON:
		return usagef("--check prints no JSON")
	case o.Raw && o.changed():
		return usagef("--raw is of all tensors of the source, as raw/ is: it goes with no rule of a view")
	}
	if err := o.ProgressOptions.Validate(); err != nil {
		return err
	}
	return o.ViewOptions.Validate()
}

func newSum(a *app) *cobra.Command {
	opt := &SumOptions{}
	cmd := &cobra.Command{
		Use:        "sum [flags] SOURCE",
		SuggestFor: []string{"sha256sum", "hash", "checksum", "digest", "fingerprint"},
		Short:      "SHA-256 of each tensor and of the model, whatever file holds it",
		Long: `
Prints a line for each tensor of the view, "HASH  KEY", in the order of the keys, and the
model's own last, "HASH *model". A model has the same sums as a .bin, as a .safetensors, in
shards, in HDF5 under the same keys, and in a mount of any of these.

The sum of a tensor is the SHA-256 of a line that says its dtype (as safetensors calls it)
and shape, and of its elements in C order, little endian; the key is not part of it:
  sha256("F32 [2, 3]\n" + 24 bytes)
With Python, of a tensor t of torch whose dtype safetensors calls F32:
  data = t.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
  hashlib.sha256(f"F32 {list(t.shape)}\n".encode() + data).hexdigest()
The sum of the model is the SHA-256 of the lines before it:
  wfs sum SOURCE | sed '$d' | sha256sum
A key with a backslash, a control character or a byte that is not UTF-8 is escaped, and its
line begins with a backslash, as in sha256sum: \\, \n, \r, and \xNN for the bytes of others.

--check FILE compares SOURCE with a list that wfs sum made of a model. It prints KEY: OK or
KEY: FAILED, and fails where a sum differs or a key is not there. Tensors that FILE does not
list are not looked at; the line of the model is for all of them.

--raw prints the sums of the bytes alone, under their names in a mount. That is what
meta/SHA256SUMS holds, which is made when it is read:
  cd /mnt/model && sha256sum -c meta/SHA256SUMS`,
		Example: `
  wfs sum model.pt
  wfs sum pytorch_model.bin > model.sums
  wfs sum --check model.sums --quiet model.safetensors     # was it converted faithfully?
  wfs sum model.pt | tail -n 1                             # one hash for the model`,
		Annotations:       exitCodes("0 success, 1 failure or a sum that differs, 2 wrong usage"),
		ValidArgsFunction: completeArgs(cobra.ShellCompDirectiveDefault),
		Args:              func(_ *cobra.Command, args []string) error { return opt.Validate(args) },
		RunE:              func(_ *cobra.Command, args []string) error { return a.sum(opt, args[0]) },
	}
	opt.AddFlags(cmd.Flags())
	opt.completeFlags(cmd)
	return cmd
}

func (a *app) sum(opt *SumOptions, source string) error {
	var list *sumList
	if opt.Check != "" { // before a source of hundreds of GiB is read
		var err error
		if list, err = readSumList(opt.Check); err != nil {
			return err
		}
	}
	plan, err := opt.open(source)
	if err != nil {
		return err
	}
	defer plan.Close()
	if !opt.Status {
		a.printNotes(plan.Notes())
	}
	s := &summed{app: a, progress: opt.ProgressOptions, plan: plan}
	if opt.Raw {
		if s.entries, err = rawEntries(plan); err != nil {
			return err
		}
		s.form = digest.Bytes
	} else {
		for e := range viewEntries(plan) {
			s.entries = append(s.entries, e)
		}
	}
	slices.SortFunc(s.entries, func(x, y checkpoint.Entry) int { return strings.Compare(x.Key, y.Key) })
	if list != nil {
		return a.checkSums(opt, s, list)
	}
	if err := s.compute(nil); err != nil {
		return err
	}
	if opt.JSON {
		return json.NewEncoder(a.stdout).Encode(s.json())
	}
	var line []byte
	for _, l := range s.lines() {
		line = l.AppendTo(line[:0])
		a.stdout.Write(line)
	}
	return nil
}

// rawEntries is all tensors under their paths in a mount.
func rawEntries(plan *view.Plan) ([]checkpoint.Entry, error) {
	files, err := tree.Build(plan, tree.Options{Layout: tree.Tensors})
	if err != nil {
		return nil, err
	}
	var all []checkpoint.Entry
	for path, t := range files.Raw() {
		all = append(all, checkpoint.Entry{Key: path, Tensor: t})
	}
	return all, nil
}

// summed is tensors and their sums.
type summed struct {
	*app
	progress ProgressOptions
	plan     *view.Plan
	entries  []checkpoint.Entry // in the order of their keys
	form     digest.Form
	digests  *digest.Digests
}

// compute reads the tensors that only reports true for; nil is all.
func (s *summed) compute(only func(key string) bool) error {
	s.digests = digest.New(s.form, func(yield func(*checkpoint.Tensor) bool) {
		for _, e := range s.entries {
			if (only == nil || only(e.Key)) && !yield(e.Tensor) {
				return
			}
		}
	})
	p := s.startProgress(s.progress, "hashed", s.digests.Size())
	err := s.digests.Compute(context.Background(), p.add)
	p.stop()
	if err == nil {
		err = s.plan.Verify()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", s.plan.Model.Path, err)
	}
	return nil
}

// lines is the tensors' and, but for raw bytes, the model's.
func (s *summed) lines() []digest.Line {
	lines := make([]digest.Line, 0, len(s.entries)+1)
	for _, e := range s.entries {
		sum, _ := s.digests.Of(e.Tensor)
		lines = append(lines, digest.Line{Sum: sum, Name: e.Key})
	}
	// A hostile directory can give two tensors one key: they are told apart by their sums.
	slices.SortStableFunc(lines, func(x, y digest.Line) int {
		if x.Name != y.Name {
			return strings.Compare(x.Name, y.Name)
		}
		return strings.Compare(string(x.Sum[:]), string(y.Sum[:]))
	})
	if s.form == digest.Bytes {
		return lines
	}
	return append(lines, digest.Line{Sum: digest.ModelSum(lines), Name: digest.ModelName, Model: true})
}

// summedTensor is a tensor in the JSON of wfs sum.
type summedTensor struct {
	Key   string     `json:"key"`
	DType string     `json:"dtype"`
	Shape []int64    `json:"shape"`
	Bytes int64      `json:"bytes"`
	Sum   digest.Sum `json:"sha256"`
}

func (s *summed) json() any {
	out := struct {
		Source  string         `json:"source"`
		Notes   []string       `json:"notes"`
		Tensors []summedTensor `json:"tensors"`
		Model   *digest.Sum    `json:"model,omitempty"`
	}{s.plan.Model.Path, append([]string{}, s.plan.Notes()...), []summedTensor{}, nil}
	for _, e := range s.entries {
		sum, _ := s.digests.Of(e.Tensor)
		out.Tensors = append(out.Tensors, summedTensor{e.Key, e.DType.String(), append([]int64{}, e.Shape...), e.Data.Size(), sum})
	}
	if lines := s.lines(); lines[len(lines)-1].Model {
		out.Model = &lines[len(lines)-1].Sum
	}
	return out
}
