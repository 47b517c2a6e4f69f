use anyhow::{Context, Result, anyhow, bail, ensure};
use matrix_sdk::{
    Client,
    encryption::{CrossSigningResetAuthType, verification::SasVerification},
    ruma::{
        UserId,
        api::client::uiaa::{AuthData, MatrixUserIdentifier, Password, UserIdentifier},
    },
};

use crate::device::{Device, until};

/// A new device is verified by an old one of the user: both compare emoji and say that they match.
pub async fn verify_by_emoji(new: &Device, old: &Device) -> Result<()> {
    let user_id = new.client.user_id().unwrap();
    let identity = new.client.encryption().get_user_identity(user_id).await?;
    let identity = identity.ok_or_else(|| anyhow!("no identity"))?;
    let asked = identity.request_verification().await?;
    let shown = until("the request", async || {
        Ok(old
            .client
            .encryption()
            .get_verification_request(user_id, asked.flow_id())
            .await)
    })
    .await?;
    shown.accept().await?;
    until("its acceptance", async || {
        Ok(asked.is_ready().then_some(()))
    })
    .await?;
    let ours = asked
        .start_sas()
        .await?
        .ok_or_else(|| anyhow!("no emoji"))?;
    let theirs = until("the start", async || {
        let verification = old
            .client
            .encryption()
            .get_verification(user_id, asked.flow_id())
            .await;
        Ok(verification.and_then(|verification| verification.sas()))
    })
    .await?;
    theirs.accept().await?;
    let shows = async |sas: &SasVerification| {
        until("emoji", async || Ok(sas.emoji()))
            .await
            .map(|emoji| emoji.map(|one| one.symbol))
    };
    ensure!(shows(&ours).await? == shows(&theirs).await?, "other emoji");
    ours.confirm().await?;
    theirs.confirm().await?;
    for sas in [&ours, &theirs] {
        until("the end", async || Ok(sas.is_done().then_some(()))).await?;
    }
    is_verified(&new.client).await
}

/// Waits until a device knows that it is verified.
pub async fn is_verified(client: &Client) -> Result<()> {
    until("itself verified", async || {
        let own = client.encryption().get_own_device().await?;
        Ok(own
            .is_some_and(|own| own.is_verified_with_cross_signing())
            .then_some(()))
    })
    .await
}

/// The password of the device's user, as the server asks for it before it does what cannot be undone.
fn password_of(user: &Device, session: Option<String>) -> AuthData {
    let localpart = user.client.user_id().unwrap().localpart().to_owned();
    let secret = format!("secret of {localpart}");
    let identifier = UserIdentifier::Matrix(MatrixUserIdentifier::new(localpart));
    let mut password = Password::new(identifier, secret);
    password.session = session;
    AuthData::Password(password)
}

/// Who a user is to a client that asks the server.
pub async fn identity_of(client: &Client, user_id: &UserId) -> Result<String> {
    let identity = client.encryption().request_user_identity(user_id).await?;
    let identity = identity.context("no identity")?;
    let key = identity
        .master_key()
        .get_first_key()
        .context("no master key")?;
    Ok(key.to_base64())
}

/// Somebody becomes another to all who knew them, by their password: who has lost whatever could recover their keys does so.
pub async fn reset_identity(user: &Device, other: &Device) -> Result<()> {
    let user_id = user.client.user_id().unwrap();
    let before = identity_of(&other.client, user_id).await?;
    let recovery = user.client.encryption().recovery();
    let handle = recovery
        .reset_identity()
        .await?
        .context("reset without a password")?;
    let CrossSigningResetAuthType::Uiaa(info) = handle.auth_type() else {
        bail!("reset by OAuth")
    };
    let session = info.session.clone();
    handle.reset(Some(password_of(user, session))).await?;
    ensure!(identity_of(&user.client, user_id).await? != before);
    is_verified(&user.client).await?;
    ensure!(user.client.encryption().backups().are_enabled().await);
    until("the other identity", async || {
        let identity = other
            .client
            .encryption()
            .get_user_identity(user_id)
            .await?
            .context("no identity")?;
        let key = identity.master_key().get_first_key();
        Ok(key
            .is_some_and(|key| key.to_base64() != before)
            .then_some(()))
    })
    .await
}

/// Removes a device of the user, and waits until another user knows it no more.
pub async fn remove(user: &Device, removed: &Device, other: &Device) -> Result<()> {
    let user_id = user.client.user_id().unwrap();
    let device_id = removed.client.device_id().unwrap().to_owned();
    let Err(refused) = user
        .client
        .delete_devices(std::slice::from_ref(&device_id), None)
        .await
    else {
        return Err(anyhow!("removed without a password"));
    };
    let info = refused
        .as_uiaa_response()
        .ok_or_else(|| anyhow!("{refused}"))?;
    let password = password_of(user, info.session.clone());
    user.client
        .delete_devices(std::slice::from_ref(&device_id), Some(password))
        .await?;
    until("the device gone", async || {
        let known = other
            .client
            .encryption()
            .get_device(user_id, &device_id)
            .await?;
        Ok(known.is_none().then_some(()))
    })
    .await
}
