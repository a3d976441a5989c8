//! Compiled kernels, kept by program and loop nest.
//!
//! Compiling costs milliseconds to seconds, so a kernel is compiled once per process, and where
//! the adapter can give compiled kernels back they are kept in the user's cache folder.

use super::cache;
use super::context::{Context, Step, lock};
use super::feed::Scheme;
use super::job::Bundle;
use super::kernel::{Kernel, Style};
use super::reduce::reduce_kernel;
use super::store::store_kernel;
use super::walk::Shape;
use crate::plan::program::Program;
use crate::{Error, Result};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};
use wgpu::Features;

/// Kernels compiled between two writes of the cache; the last are written when the device is closed.
const SAVE_EVERY: usize = 16;

/// What decides a kernel.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    program: Program,
    outputs: Vec<usize>,
    shape: Shape,
}

/// A shader on the device.
pub(super) struct Compiled {
    pub pipeline: wgpu::ComputePipeline,
    pub layout: wgpu::BindGroupLayout,
}

/// A generated kernel on the device.
pub(super) struct Pipeline {
    pub kernel: Kernel,
    pub compiled: Arc<Compiled>,
}

type Slot<T> = Arc<OnceLock<std::result::Result<Arc<T>, String>>>;

/// All kernels of a device.
pub(super) struct Pipelines {
    slots: Mutex<HashMap<Key, Slot<Pipeline>>>,
    /// Hand-written kernels by their text.
    texts: Mutex<HashMap<String, Slot<Compiled>>>,
    disk: Option<wgpu::PipelineCache>,
    unsaved: Mutex<usize>,
    /// How kernels are cut that are written from now on.
    pub style: Style,
}

impl Pipelines {
    pub fn new(context: &Context, style: Style) -> Pipelines {
        let can = context.features.contains(Features::PIPELINE_CACHE);
        Pipelines {
            slots: Mutex::default(),
            texts: Mutex::default(),
            disk: can.then(|| open_disk(context)).flatten(),
            unsaved: Mutex::new(0),
            style,
        }
    }

    /// How many kernels were compiled.
    pub fn count(&self) -> usize {
        lock(&self.slots).len() + lock(&self.texts).len()
    }

    /// The kernel of some outputs of a program, compiled now if this is its first use. Threads
    /// that ask for one kernel wait for one compilation.
    pub fn get(
        &self,
        context: &Context,
        program: &Program,
        bundle: &Bundle,
        shape: &Shape,
        schemes: &[Option<Scheme>],
    ) -> Result<Arc<Pipeline>> {
        let key = Key {
            program: program.clone(),
            outputs: bundle.outputs.clone(),
            shape: shape.clone(),
        };
        let slot = lock(&self.slots).entry(key).or_default().clone();
        let compiled = slot.get_or_init(|| {
            let kernel = write(program, bundle, shape, schemes, self.style)?;
            let compiled = self
                .compile(context, &kernel.wgsl, true)
                .map_err(|e| e.to_string())?;
            Ok(Arc::new(Pipeline {
                kernel,
                compiled: Arc::new(compiled),
            }))
        });
        compiled.clone().map_err(Error::Device)
    }

    /// A hand-written kernel, compiled now if this is its first use: its entry point is `main`, its
    /// bindings are those of group 0, numbered from 0, and it uses all of them.
    pub fn text(&self, context: &Context, wgsl: &str) -> Result<Arc<Compiled>> {
        self.kept(context, wgsl, true)
    }

    /// The same without the checks that keep indices within arrays and loops from running for ever.
    ///
    /// # Safety
    /// However the kernel is dispatched, its indices must stay within arrays and its loops end.
    pub unsafe fn unchecked_text(&self, context: &Context, wgsl: &str) -> Result<Arc<Compiled>> {
        self.kept(context, wgsl, false)
    }

    fn kept(&self, context: &Context, wgsl: &str, checked: bool) -> Result<Arc<Compiled>> {
        let known = lock(&self.texts).get(wgsl).cloned();
        let slot = match known {
            Some(slot) => slot,
            None => lock(&self.texts).entry(wgsl.to_string()).or_default().clone(),
        };
        let compiled = slot.get_or_init(|| {
            let compiled = self.compile(context, wgsl, checked).map_err(|e| e.to_string())?;
            Ok(Arc::new(compiled))
        });
        compiled.clone().map_err(Error::Device)
    }

    /// Compiles a shader; one that is not checked is a text of [`Pipelines::unchecked_text`].
    fn compile(&self, context: &Context, wgsl: &str, checked: bool) -> Result<Compiled> {
        context.checkpoint(Step::Compile)?;
        let pipeline = context.guard("compiling a kernel", || {
            let source = wgpu::ShaderModuleDescriptor {
                label: None,
                source: wgpu::ShaderSource::Wgsl(wgsl.into()),
            };
            let module = match checked {
                true => context.device.create_shader_module(source),
                // SAFETY: the promise of whoever asked for an unchecked text.
                false => unsafe {
                    let checks = wgpu::ShaderRuntimeChecks::unchecked();
                    context.device.create_shader_module_trusted(source, checks)
                },
            };
            context
                .device
                .create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                    label: None,
                    layout: None,
                    module: &module,
                    entry_point: Some("main"),
                    compilation_options: wgpu::PipelineCompilationOptions {
                        zero_initialize_workgroup_memory: false,
                        ..Default::default()
                    },
                    cache: self.disk.as_ref(),
                })
        })?;
        let unsaved = {
            let mut unsaved = lock(&self.unsaved);
            *unsaved += 1;
            *unsaved
        };
        if unsaved >= SAVE_EVERY {
            self.save(context);
        }
        let layout = context.guard("reading a kernel's layout", || pipeline.get_bind_group_layout(0))?;
        Ok(Compiled { pipeline, layout })
    }

    /// Writes compiled kernels to the cache folder if there are new ones. A cache that cannot be
    /// written only costs time later, so failures are not reported.
    pub fn save(&self, context: &Context) {
        let unsaved = std::mem::take(&mut *lock(&self.unsaved));
        if let (Some(disk), true) = (&self.disk, unsaved > 0)
            && let Some(data) = disk.get_data()
        {
            cache::write(&cache_name(context), &data);
        }
    }
}

/// Writes the kernel of a bundle.
pub(super) fn write(
    program: &Program,
    bundle: &Bundle,
    shape: &Shape,
    schemes: &[Option<Scheme>],
    style: Style,
) -> std::result::Result<Kernel, String> {
    if !bundle.reduces {
        return store_kernel(program, &bundle.outputs, shape, style);
    }
    let schemes: Vec<Scheme> = bundle.outputs.iter().filter_map(|&o| schemes[o]).collect();
    reduce_kernel(program, &bundle.outputs, &schemes, shape, style)
}

fn cache_name(context: &Context) -> String {
    format!("pipelines-{:016x}.bin", cache::adapter_key(&context.info))
}

fn open_disk(context: &Context) -> Option<wgpu::PipelineCache> {
    let data = cache::read(&cache_name(context));
    let created = context.guard("opening the kernel cache", || {
        // SAFETY: the data was returned by `PipelineCache::get_data` for an adapter and driver of
        // this name: both are in the file's name, the file has a checksum, and its folder
        // belongs to the user. The driver checks its own header, and `fallback` makes it start empty.
        unsafe {
            context
                .device
                .create_pipeline_cache(&wgpu::PipelineCacheDescriptor {
                    label: None,
                    data: data.as_deref(),
                    fallback: true,
                })
        }
    });
    created.ok()
}
