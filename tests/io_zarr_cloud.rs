//! Zarr stores behind URLs, served by a small web server of this test.

#![allow(clippy::unwrap_used)] // helpers of tests fail the test

use tilewise::io::Container;

#[cfg(not(feature = "cloud"))]
#[test]
fn urls_say_what_they_need() {
    let error = Container::open("https://example.org/store.zarr")
        .unwrap_err()
        .to_string();
    assert!(error.contains("--features cloud"), "{error}");
}

#[cfg(feature = "cloud")]
mod served {
    use super::Container;
    use std::io::{BufRead, BufReader, Write};
    use std::net::{SocketAddr, TcpListener, TcpStream};
    use std::path::{Path, PathBuf};
    use std::sync::Arc;
    use tilewise::DType;
    use tilewise::io::{Compression, Dim, FileSpec, VarType, VariableSpec, Writer, ZarrWriter};
    use tilewise::store::conformance;

    /// Answers requests for the files of a folder until the test ends.
    fn serve(root: &Path) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, root) = (listener.local_addr().unwrap(), Arc::new(root.to_path_buf()));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let root = root.clone();
                std::thread::spawn(move || answer(stream.unwrap(), &root));
            }
        });
        address
    }

    fn answer(mut stream: TcpStream, root: &PathBuf) -> Option<()> {
        let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
        loop {
            let request = lines.next()?.ok()?;
            let mut parts = request.split(' ');
            let (method, path) = (parts.next()?.to_string(), parts.next()?.to_string());
            let mut range = None;
            while let Some(Ok(line)) = lines.next().filter(|l| !matches!(l, Ok(l) if l.is_empty())) {
                let line = line.to_ascii_lowercase();
                if let Some(bytes) = line.strip_prefix("range: bytes=") {
                    let (from, to) = bytes.split_once('-')?;
                    range = Some((from.parse::<usize>().ok()?, to.parse::<usize>().ok()?));
                }
            }
            let (status, extra, body) = match (std::fs::read(root.join(path.trim_start_matches('/'))), range)
            {
                (Err(_), _) => ("404 Not Found", String::new(), Vec::new()),
                (Ok(all), None) => ("200 OK", String::new(), all),
                (Ok(all), Some((from, to))) => {
                    let to = to.min(all.len() - 1);
                    let told = format!("Content-Range: bytes {from}-{to}/{}\r\n", all.len());
                    ("206 Partial Content", told, all[from..=to].to_vec())
                }
            };
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {}\r\n{extra}\r\n",
                body.len()
            );
            stream.write_all(head.as_bytes()).ok()?;
            if method != "HEAD" {
                stream.write_all(&body).ok()?;
            }
        }
    }

    #[test]
    fn stores_are_read_from_a_web_server() {
        let folder = tempfile::TempDir::new().unwrap();
        let mut spec = FileSpec {
            dims: vec![Dim {
                name: "x".into(),
                len: 100,
                unlimited: false,
            }],
            ..FileSpec::default()
        };
        for (name, codec, shards) in [
            ("plain", "none", None),
            ("zstd", "zstd", None),
            ("shards", "zstd", Some(vec![40])),
        ] {
            let mut variable = VariableSpec::new(name, &["x"], VarType::Numeric(DType::I32));
            variable.chunks = Some(vec![10]);
            variable.compression = Compression::parse(codec).unwrap();
            variable.shards = shards;
            spec.variables.push(variable);
        }
        spec.variables
            .push(VariableSpec::new("label", &["x"], VarType::Text));
        let writer = ZarrWriter::create_v3(folder.path().join("s.zarr"), &spec).unwrap();
        let bytes: Vec<u8> = (0..100i32).flat_map(i32::to_le_bytes).collect();
        for name in ["plain", "zstd", "shards"] {
            writer.write_whole(name, &bytes).unwrap();
        }
        let texts: Vec<String> = (0..100).map(|i| format!("text {i}")).collect();
        writer.write_text("label", &texts).unwrap();
        writer.finish().unwrap();

        let address = serve(folder.path());
        let store = Container::open(format!("http://{address}/s.zarr")).unwrap();
        for name in ["plain", "zstd", "shards"] {
            conformance::source(&*store.source(name).unwrap(), &bytes);
        }
        assert_eq!(store.text("label").unwrap().values, texts);
        let error = Container::open(format!("http://{address}/none.zarr"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("no Zarr group or array"), "{error}");
        assert!(
            Container::open("ftp://host/s.zarr")
                .unwrap_err()
                .to_string()
                .contains("ftp")
        );
    }
}
