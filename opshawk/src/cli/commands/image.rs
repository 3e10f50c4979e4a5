//! `opshawk image …`

use std::path::Path;

use http::Method;
use serde_json::{Value, json};

use super::{Column, Context, Failure, col, wide};
use crate::cli::args::{DiskFormat, ImageCommand, ImagePart};

pub const PATH: &str = "/v1/images";

const COLUMNS: &[Column] = &[
    col("NAME", "/name"),
    col("STATE", "/state"),
    col("FORMAT", "/disk_format"),
    col("BYTES", "/disk/bytes"),
    col("KERNEL", "/wants_kernel"),
    wide("SHA256", "/disk/sha256"),
    wide("CREATED", "/created_at"),
    wide("ID", "/id"),
];

pub async fn run(cx: &Context, command: ImageCommand) -> Result<(), Failure> {
    let client = &cx.client;
    match command {
        ImageCommand::List => cx.list(COLUMNS, &client.list(PATH, &[], None).await?),
        ImageCommand::Show { image } => cx.one(COLUMNS, &client.find("image", PATH, &image).await?),
        ImageCommand::Create { name, disk, format, kernel, ramdisk, cmdline } => {
            let format = match format {
                DiskFormat::Qcow2 => "qcow2",
                DiskFormat::Raw => "raw",
            };
            let parts = [
                (ImagePart::Disk, Some(disk)),
                (ImagePart::Kernel, kernel.clone()),
                (ImagePart::Ramdisk, ramdisk),
            ];
            let parts: Vec<_> =
                parts.into_iter().filter_map(|(part, file)| file.map(|f| (part, f))).collect();
            // Before anything is made: a file that can't be read should leave nothing behind.
            for (_, file) in &parts {
                open(file).await?;
            }
            let body = json!({
                "name": name, "disk_format": format, "wants_kernel": kernel.is_some(),
                "kernel_cmdline": cmdline,
            });
            let mut image = client.post(PATH, &body).await?;
            let id = image["id"].as_str().unwrap_or_default().to_owned();
            for (part, file) in parts {
                image = upload(cx, &id, part, &file).await?;
            }
            cx.one(COLUMNS, &image)
        }
        ImageCommand::Upload { image, part, file } => {
            let id = client.id("image", PATH, &image).await?;
            cx.one(COLUMNS, &upload(cx, &id, part, &file).await?)
        }
        ImageCommand::Delete { image } => {
            let id = client.id("image", PATH, &image).await?;
            client.delete(&format!("{PATH}/{id}")).await.map(drop)
        }
    }
}

async fn open(path: &Path) -> Result<tokio::fs::File, Failure> {
    tokio::fs::File::open(path)
        .await
        .map_err(|e| Failure::usage(format!("{} can't be read: {e}", path.display())))
}

async fn upload(cx: &Context, id: &str, part: ImagePart, path: &Path) -> Result<Value, Failure> {
    let part = match part {
        ImagePart::Disk => "disk",
        ImagePart::Kernel => "kernel",
        ImagePart::Ramdisk => "ramdisk",
    };
    let file = open(path).await?;
    let bytes = file.metadata().await.map_err(|e| Failure::failed(e.to_string()))?.len();
    let body = reqwest::Body::wrap_stream(tokio_util::io::ReaderStream::new(file));
    let request = cx
        .client
        .request(Method::PUT, &format!("{PATH}/{id}/files/{part}"))
        .header(http::header::CONTENT_TYPE, "application/octet-stream")
        .header(http::header::CONTENT_LENGTH, bytes)
        .body(body);
    let response = cx.client.send(request).await?;
    response.json().await.map_err(|e| Failure::failed(format!("the answer is no JSON: {e}")))
}
