// A window that was opened for the consent alone is of no more use.
if (window.opener || window.name === "valetkey-consent") window.close();
