//! Somebody who logs in by OAuth, as Element X has it done in a browser.

use std::io::stdin;

use anyhow::{Context, Result, ensure};
use matrix_sdk::{
    Client,
    authentication::oauth::registration::{
        ApplicationType, ClientMetadata, Localized, OAuthGrantType,
    },
    reqwest::Url,
    ruma::serde::Raw,
};

use crate::saw;

/// Registers, has its user let it in, and renews its tokens. Writes the address that the browser is to open, and is told where that was
/// sent back to. It logs out nowhere: for that the library wants HTTPS.
pub async fn log_in_by_oauth(base: &str) -> Result<()> {
    let client = Client::builder().homeserver_url(base).build().await?;
    let oauth = client.oauth();
    let redirect = Url::parse("http://127.0.0.1/callback")?;
    let metadata = ClientMetadata::new(
        ApplicationType::Native,
        vec![
            OAuthGrantType::AuthorizationCode {
                redirect_uris: vec![redirect],
            },
            OAuthGrantType::DeviceCode,
        ],
        Localized::new(Url::parse("https://client.example/")?, []),
    );
    let registration = Raw::new(&metadata)?.into();
    let here = Url::parse("http://127.0.0.1:9/callback")?;
    let login = oauth
        .login(here, None, Some(registration), None)
        .build()
        .await?;
    println!("open {}", login.url);
    let mut answer = String::new();
    stdin().read_line(&mut answer)?;
    oauth
        .finish_login(Url::parse(answer.trim())?.into())
        .await?;
    let device = client
        .whoami()
        .await?
        .device_id
        .context("there is no device")?;
    saw("logged in by OAuth");
    oauth.refresh_access_token().await?;
    ensure!(client.whoami().await?.device_id.as_ref() == Some(&device));
    saw("renewed its tokens");
    Ok(())
}
