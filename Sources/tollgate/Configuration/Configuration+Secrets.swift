import ArgumentParser
import Engines
import Identity
import Storage

extension Configuration {
    /// The keys under which secrets are kept, read anew each time, as the file may have been replaced; nil where none
    /// are set.
    func secretKeyring() throws(ConfigurationError) -> SecretKeyring? {
        switch (text("secrets.key_file"), text("secrets.key")) {
        case (nil, nil): return nil
        case (.some, .some):
            throw ConfigurationError(complaints: [
                "secrets.key_file and TOLLGATE_SECRET_KEY are both set: leave one of them out"
            ])
        case (let path?, nil):
            do {
                return try keyring(readText(path), "secrets.key_file \(path)")
            } catch let error as ConfigurationError {
                throw error
            } catch {
                throw ConfigurationError(complaints: ["secrets.key_file: \(error)"])
            }
        case (nil, let text?): return try keyring(text, "TOLLGATE_SECRET_KEY")
        }
    }

    private func keyring(_ text: String, _ source: String) throws(ConfigurationError) -> SecretKeyring {
        do throws(SecretKeyringError) {
            return try SecretKeyring(text)
        } catch {
            throw ConfigurationError(complaints: ["\(source): \(error)"])
        }
    }

    /// The same, for who cannot do without.
    func requiredSecretKeyring() throws(ConfigurationError) -> SecretKeyring {
        if let keyring = try secretKeyring() { return keyring }
        throw ConfigurationError(complaints: [
            "there is no key for secrets: put the output of `tollgate secrets generate-key` into a file that only this "
                + "user reads and name it as secrets.key_file (TOLLGATE_SECRETS_KEY_FILE), here and for every gateway"
        ])
    }
}
