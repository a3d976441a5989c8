//! A kernel of the probe, compiled and bound once.

use crate::Result;
use crate::device::gpu::context::Context;
use wgpu::CommandEncoder;

/// A compiled kernel and what it binds.
pub(super) struct Kernel {
    pipeline: wgpu::ComputePipeline,
    group: wgpu::BindGroup,
    /// Workgroups of a dispatch.
    pub groups: u32,
}

impl Kernel {
    pub fn new(context: &Context, text: &str, buffers: &[&wgpu::Buffer], groups: u32) -> Result<Kernel> {
        let pipeline = context.guard("compiling a kernel", || {
            let module = context.device.create_shader_module(wgpu::ShaderModuleDescriptor {
                label: None,
                source: wgpu::ShaderSource::Wgsl(text.into()),
            });
            context
                .device
                .create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                    label: None,
                    layout: None,
                    module: &module,
                    entry_point: Some("main"),
                    compilation_options: Default::default(),
                    cache: None,
                })
        })?;
        let entries: Vec<wgpu::BindGroupEntry<'_>> = buffers
            .iter()
            .enumerate()
            .map(|(binding, buffer)| wgpu::BindGroupEntry {
                binding: binding as u32,
                resource: buffer.as_entire_binding(),
            })
            .collect();
        let group = context.guard("binding buffers", || {
            context.device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: None,
                layout: &pipeline.get_bind_group_layout(0),
                entries: &entries,
            })
        })?;
        Ok(Kernel {
            pipeline,
            group,
            groups,
        })
    }

    /// Records so many dispatches, each after the one before.
    pub fn record(&self, encoder: &mut CommandEncoder, repeats: u32) {
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.group, &[]);
        for _ in 0..repeats {
            pass.dispatch_workgroups(self.groups, 1, 1);
        }
    }
}
