package builder

import (
	"context"
	"fmt"

	"github.com/archbuild/archbuild/plan"
	"github.com/moby/buildkit/client/llb"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"
)

// Call asks the frontend a question about the job's Dockerfile and builds nothing;
// method is one of those of Answer. Progress goes to the display, which Call closes.
func (s *Session) Call(ctx context.Context, job plan.Job, method string, opts Options, display *Display) (Answer, error) {
	defer display.Close()
	opt, err := s.solveOpt(job, opts)
	if err != nil {
		return Answer{}, err
	}
	opt.Internal, opt.Exports, opt.CacheExports, opt.CacheImports = true, nil, nil, nil
	attrs := opt.FrontendAttrs
	attrs["requestid"] = "frontend." + method
	attrs["frontend.caps"] = "moby.buildkit.frontend.subrequests+forward"
	inputs, err := marshalled(ctx, opt.FrontendInputs)
	if err != nil {
		return Answer{}, err
	}
	opt.Frontend, opt.FrontendAttrs, opt.FrontendInputs = "", map[string]string{}, nil
	answer := Answer{method: method}
	watch := display.job(job.Platform.String(), job.Platform)
	_, err = s.node.Client.Build(ctx, opt, "", func(ctx context.Context, c gateway.Client) (*gateway.Result, error) {
		result, err := c.Solve(ctx, gateway.SolveRequest{Frontend: dockerfileFrontend, FrontendOpt: attrs, FrontendInputs: inputs})
		if err == nil {
			answer.json = result.Metadata["result.json"]
		}
		return result, err
	}, watch.channel())
	watch.wait()
	if ctx.Err() != nil {
		return answer, context.Cause(ctx)
	}
	if err != nil {
		return answer, explain(job, opts.Template, err, watch, s.node.Memory)
	}
	return answer, nil
}

// marshalled are contexts that the node has already, as a frontend gets them.
func marshalled(ctx context.Context, inputs map[string]llb.State) (map[string]*pb.Definition, error) {
	list := map[string]*pb.Definition{}
	for name, state := range inputs {
		def, err := state.Marshal(ctx)
		if err != nil {
			return nil, fmt.Errorf("handing over the context %s: %w", name, err)
		}
		list[name] = def.ToPB()
	}
	return list, nil
}
