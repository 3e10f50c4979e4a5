//! Images: what instances boot from.

use axum::{
    extract::{Request, State},
    response::Response,
};
use base::{
    bus::Topic,
    id::{ImageId, TenantId},
    time::Timestamp,
};
use http::StatusCode;
use inventory::images::{self, DiskFormat, ImageState, NewImage, Part};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{
    auth::Caller,
    extract::{Json, Keyed, Path, Query},
    page::{Page, PageQuery},
    problem::Result,
    state::App,
    unit,
};

mod files;

pub use files::Files;

#[derive(Debug, Serialize, ToSchema)]
pub struct Image {
    pub id: ImageId,
    pub name: String,
    /// Whose it is; null is public.
    pub tenant_id: Option<TenantId>,
    pub state: ImageState,
    pub disk_format: DiskFormat,
    /// It boots by its own kernel and ramdisk, as in Glance.
    pub wants_kernel: bool,
    pub kernel_cmdline: String,
    pub disk: Option<ImageFile>,
    pub kernel: Option<ImageFile>,
    pub ramdisk: Option<ImageFile>,
    pub created_at: Timestamp,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ImageFile {
    pub sha256: String,
    pub bytes: i64,
}

impl From<images::File> for ImageFile {
    fn from(file: images::File) -> Self {
        Self { sha256: file.sha256, bytes: file.bytes }
    }
}

impl From<images::Image> for Image {
    fn from(image: images::Image) -> Self {
        Self {
            id: image.id,
            name: image.name,
            tenant_id: image.tenant_id,
            state: image.state,
            disk_format: image.disk_format,
            wants_kernel: image.wants_kernel,
            kernel_cmdline: image.kernel_cmdline,
            disk: image.disk.map(ImageFile::from),
            kernel: image.kernel.map(ImageFile::from),
            ramdisk: image.ramdisk.map(ImageFile::from),
            created_at: image.created_at,
        }
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateImage {
    pub name: String,
    pub disk_format: DiskFormat,
    #[serde(default)]
    pub wants_kernel: bool,
    #[serde(default)]
    pub kernel_cmdline: String,
}

/// A member sees public images and its tenant's.
fn visible(caller: &Caller, image: &images::Image) -> bool {
    image.tenant_id.is_none_or(|owner| caller.sees(owner))
}

#[utoipa::path(get, path = "/v1/images", tag = "images", params(PageQuery),
    responses((status = 200, body = Page<Image>)))]
pub async fn list_images(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<Image>>> {
    let span = query.span::<ImageId>()?;
    let rows = images::list(&mut *app.read().await?, span.cursor, span.fetch()).await?;
    let page = span.page(rows, |i| i.id.to_string(), |i| i);
    let own = page.items.into_iter().filter(|image| visible(&caller, image));
    Ok(Json(Page { items: own.map(Image::from).collect(), next_cursor: page.next_cursor }))
}

/// Registers an image; it is usable when its files are there.
#[utoipa::path(post, path = "/v1/images", tag = "images", request_body = CreateImage,
    responses((status = 201, body = Image)))]
pub async fn create_image(
    State(app): State<App>,
    caller: Caller,
    Keyed { body, key }: Keyed<CreateImage>,
) -> unit::Result<Response> {
    let mut unit = app.begin(&caller, key).await?;
    let now = unit.now;
    let new = NewImage {
        name: &body.name,
        disk_format: body.disk_format,
        wants_kernel: body.wants_kernel,
        kernel_cmdline: &body.kernel_cmdline,
    };
    let image = images::create(&mut unit.tx, now, new).await?;
    let detail = json!({ "name": image.name });
    unit.audit("image.create", ("image", image.id), None, detail).await?;
    unit.changes.add(Topic::Image, image.id, None);
    unit.finish(StatusCode::CREATED, &Image::from(image)).await
}

#[utoipa::path(get, path = "/v1/images/{id}", tag = "images",
    params(("id" = ImageId, Path)), responses((status = 200, body = Image)))]
pub async fn get_image(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<ImageId>,
) -> Result<Json<Image>> {
    let image = images::get(&mut *app.read().await?, id).await?;
    if !visible(&caller, &image) {
        return Err(base::Error::not_found(format_args!("image {id}")).into());
    }
    Ok(Json(image.into()))
}

/// Deletes it; refused while an instance was made of it.
#[utoipa::path(delete, path = "/v1/images/{id}", tag = "images",
    params(("id" = ImageId, Path)), responses((status = 204)))]
pub async fn delete_image(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<ImageId>,
) -> unit::Result<StatusCode> {
    let mut unit = app.begin(&caller, None).await?;
    let now = unit.now;
    images::delete(&mut unit.tx, now, id).await?;
    unit.audit("image.delete", ("image", id), None, json!({})).await?;
    unit.changes.add(Topic::Image, id, None);
    unit.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes the raw bytes of a file of the image, while the image is queued.
#[utoipa::path(put, path = "/v1/images/{id}/files/{file}", tag = "images",
    params(("id" = ImageId, Path), ("file" = Part, Path)),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, body = Image)))]
pub async fn upload_image_file(
    State(app): State<App>,
    caller: Caller,
    Path((id, part)): Path<(ImageId, Part)>,
    request: Request,
) -> unit::Result<Response> {
    // Before gigabytes are taken; `set_file` asks again in its transaction.
    let image = images::get(&mut *app.read().await?, id).await?;
    images::check_takes(&image, part)?;
    let qcow2 = part == Part::Disk && image.disk_format == DiskFormat::Qcow2;
    let file = app.files.receive(request.into_body(), qcow2).await?;
    let mut unit = app.begin(&caller, None).await?;
    let detail = json!({ "file": part, "sha256": file.sha256, "bytes": file.bytes });
    let image = images::set_file(&mut unit.tx, id, part, file).await?;
    unit.audit("image.upload", ("image", id), None, detail).await?;
    unit.changes.add(Topic::Image, id, None);
    unit.finish(StatusCode::OK, &Image::from(image)).await
}
