//! Somebody who logs in by OAuth, as Element X has it done in a browser.

use std::io::stdin;

use anyhow::{Context, Result, bail, ensure};
use matrix_sdk::{
    Client,
    authentication::oauth::registration::{
        ApplicationType, ClientMetadata, Localized, OAuthGrantType,
    },
    encryption::{CrossSigningResetAuthType, EncryptionSettings},
    reqwest::Url,
    ruma::serde::Raw,
};

use crate::{
    saw,
    verify::{identity_of, is_verified},
};

/// Registers, has its user let it in, renews its tokens, and has its user's identity reset, which the user allows at the account page while
/// the library asks twice a second whether it may. Writes the addresses that the browser is to open, and is told where the first was sent
/// back to. It logs out nowhere: for that the library wants HTTPS.
pub async fn log_in_by_oauth(base: &str) -> Result<()> {
    let client = Client::builder()
        .homeserver_url(base)
        .with_encryption_settings(EncryptionSettings {
            auto_enable_cross_signing: true,
            auto_enable_backups: true,
            ..Default::default()
        })
        .build()
        .await?;
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

    client
        .encryption()
        .wait_for_e2ee_initialization_tasks()
        .await;
    let user_id = client.user_id().context("not logged in")?;
    let before = identity_of(&client, user_id).await?;
    let recovery = client.encryption().recovery();
    let handle = recovery
        .reset_identity()
        .await?
        .context("reset without the user")?;
    let CrossSigningResetAuthType::OAuth(info) = handle.auth_type() else {
        bail!("reset by a password")
    };
    println!("allow {}", info.approval_url);
    handle.reset(None).await?;
    ensure!(identity_of(&client, user_id).await? != before);
    ensure!(client.encryption().backups().are_enabled().await);
    is_verified(&client).await?;
    saw("had its user's identity reset");
    Ok(())
}
