//! A store behind a URL: a web server, Amazon S3 or what speaks its protocol, Google Cloud Storage.
//!
//! Requests are made by the crate `object_store`, whose futures run on threads of their own; whoever reads
//! waits for them, so several threads have as many requests under way. Credentials and end points come
//! from the environment (`AWS_…`, `GOOGLE_…`); `AWS_SKIP_SIGNATURE=true` reads public buckets without any.

use super::files::{Files, Object, Unordered, fitting, grow, join};
use crate::{Error, Result};
use object_store::aws::AmazonS3Builder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::http::HttpBuilder;
use object_store::{ClientOptions, ObjectMeta, ObjectStore, ObjectStoreExt, RetryConfig};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use xxhash_rust::xxh3::xxh3_64;

/// What makes requests.
#[derive(Debug)]
struct Client {
    store: Box<dyn ObjectStore>,
    runtime: Runtime,
    location: PathBuf,
}

/// A store behind a URL.
#[derive(Debug)]
pub(super) struct Remote {
    client: Arc<Client>,
    /// The key of its root.
    root: String,
    /// Whether its keys can be listed.
    lists: bool,
}

impl Remote {
    /// A store behind a URL; makes no request.
    ///
    /// # Errors
    /// For a scheme that is none of ours, and settings of the environment that are wrong.
    pub fn new(location: &Path) -> Result<Remote> {
        let wrong = |reason: String| Error::format(location, reason);
        let url = location.to_str().unwrap_or_default().trim_end_matches('/');
        let (scheme, rest) = url.split_once("://").unwrap_or_default();
        let (host, root) = rest.split_once('/').unwrap_or((rest, ""));
        let retry = RetryConfig {
            max_retries: 3,
            retry_timeout: Duration::from_secs(60),
            ..RetryConfig::default()
        };
        let options = ClientOptions::new().with_allow_http(scheme == "http");
        let told = |e: object_store::Error| wrong(e.to_string());
        let (store, lists): (Box<dyn ObjectStore>, bool) = match scheme {
            "http" | "https" => {
                let web = HttpBuilder::new().with_url(format!("{scheme}://{host}"));
                let web = web.with_client_options(options).with_retry(retry);
                (Box::new(web.build().map_err(told)?), false)
            }
            "s3" => {
                let bucket = AmazonS3Builder::from_env()
                    .with_bucket_name(host)
                    .with_retry(retry);
                (Box::new(bucket.build().map_err(told)?), true)
            }
            "gs" => {
                let bucket = GoogleCloudStorageBuilder::from_env().with_bucket_name(host);
                (Box::new(bucket.with_retry(retry).build().map_err(told)?), true)
            }
            other => {
                let reason =
                    format!("{other}:// is none of the URLs that are read: http, https, s3 and gs are");
                return Err(wrong(reason));
            }
        };
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(Error::io("start threads for", location))?;
        Ok(Remote {
            client: Arc::new(Client {
                store,
                runtime,
                location: location.to_path_buf(),
            }),
            root: root.to_string(),
            lists,
        })
    }

    fn key(&self, key: &str) -> Result<object_store::path::Path> {
        let key = join(&self.root, key);
        object_store::path::Path::parse(key.trim_matches('/'))
            .map_err(|e| Error::format(&self.client.location, e.to_string()))
    }
}

impl Client {
    /// The answer to a request, `None` where there is no such object.
    fn wait<T>(
        &self,
        key: &str,
        request: impl Future<Output = object_store::Result<T>>,
    ) -> Result<Option<T>> {
        match self.runtime.block_on(request) {
            Ok(answer) => Ok(Some(answer)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(e) => {
                let source = std::io::Error::other(format!("{key}: {e}"));
                Err(Error::io("read", &self.location)(source))
            }
        }
    }
}

/// An object, known by its length.
struct Known {
    client: Arc<Client>,
    meta: ObjectMeta,
}

impl Object for Known {
    fn len(&self) -> u64 {
        self.meta.size
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        if out.is_empty() {
            return Ok(());
        }
        let (key, range) = (&self.meta.location, offset..offset + out.len() as u64);
        let bytes = self
            .client
            .wait(key.as_ref(), self.client.store.get_range(key, range))?;
        match bytes.filter(|b| b.len() == out.len()) {
            Some(bytes) => {
                out.copy_from_slice(&bytes);
                Ok(())
            }
            None => Err(Error::format(
                &self.client.location,
                format!("{key} has changed while it was read"),
            )),
        }
    }
}

impl Files for Remote {
    fn open(&self, key: &str) -> Result<Option<Box<dyn Object>>> {
        let path = self.key(key)?;
        let meta = self.client.wait(key, self.client.store.head(&path))?;
        let client = self.client.clone();
        Ok(meta.map(|meta| Box::new(Known { client, meta }) as Box<dyn Object>))
    }

    fn read(&self, key: &str, out: &mut Vec<u8>, most: usize) -> Result<Option<usize>> {
        let path = self.key(key)?;
        let Some(answer) = self.client.wait(key, self.client.store.get(&path))? else {
            return Ok(None);
        };
        let len = fitting(self.location(), key, answer.meta.size, most)?;
        let Some(bytes) = self.client.wait(key, answer.bytes())?.filter(|b| b.len() == len) else {
            return Err(Error::format(self.location(), format!("{key} ended too soon")));
        };
        grow(out, len).map_err(|e| Error::format(self.location(), e))?;
        out[..len].copy_from_slice(&bytes);
        Ok(Some(len))
    }

    fn list(&self, folder: &str) -> Result<Option<Vec<String>>> {
        if !self.lists {
            return Ok(None);
        }
        let prefix = self.key(folder)?;
        let found = self
            .client
            .wait(folder, self.client.store.list_with_delimiter(Some(&prefix)))?;
        let found = found.map(|list| {
            let folders = list.common_prefixes.into_iter();
            let objects = list.objects.into_iter().map(|object| object.location);
            let names = folders
                .chain(objects)
                .filter_map(|path| path.filename().map(str::to_string));
            names.collect()
        });
        Ok(Some(found.unwrap_or_default()))
    }

    fn sizes(&self, _folder: &str, _most: usize) -> Option<(u64, usize)> {
        None
    }

    fn held(&self, most: usize) -> usize {
        most // the body of an answer
    }

    fn location(&self) -> &Path {
        &self.client.location
    }

    fn identity(&self, folder: &str) -> u64 {
        let mut text = format!("{}\0{folder}", self.client.location.display());
        for name in ["zarr.json", ".zarray"] {
            let head = self
                .key(&join(folder, name))
                .and_then(|key| self.client.wait(name, self.client.store.head(&key)));
            if let Ok(Some(meta)) = head {
                text += &format!("\0{:?} {} {:?}", meta.e_tag, meta.size, meta.last_modified);
            }
        }
        xxh3_64(text.as_bytes())
    }

    fn objects(&self, folder: &str) -> Option<u64> {
        if !self.lists {
            return None;
        }
        let mut all = Unordered::default();
        let mut folders = vec![self.key(folder).ok()?];
        while let Some(folder) = folders.pop() {
            let request = self.client.store.list_with_delimiter(Some(&folder));
            let list = self.client.wait(folder.as_ref(), request).ok()??;
            for object in &list.objects {
                all.add(&format!(
                    "{}\0{}\0{:?} {}",
                    object.location, object.size, object.e_tag, object.last_modified
                ));
            }
            folders.extend(list.common_prefixes);
        }
        Some(all.digest())
    }
}
