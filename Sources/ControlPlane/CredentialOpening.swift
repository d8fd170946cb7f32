import Engines
import Identity
import Storage

/// What of a snapshot cannot be used, and why; what does not depend on it works.
public struct SnapshotFault: Hashable, Sendable {
    /// What it is: `backend` …
    public let kind: String
    /// Which one.
    public let name: String
    /// A stable word for metrics.
    public let code: String
    /// For people; holds no secret.
    public let reason: String

    /// A fault of one thing.
    public init(kind: String, name: String, code: String, reason: String) {
        self.kind = kind
        self.name = name
        self.code = code
        self.reason = reason
    }
}

/// Models with their backends' credentials in clear. A backend whose credentials do not open is out of service, with
/// the reason; all others serve.
struct CredentialOpening {
    private(set) var models: [CatalogueModel] = []
    private(set) var faults: [SnapshotFault] = []

    init(_ stored: [CatalogueModel], secrets: [String: BackendSecret], keyring: SecretKeyring?) {
        var known: [String: Backend] = [:]
        for model in stored {
            let routes = model.routes.map { route in
                let backend = known[route.backend.name] ?? open(route.backend, secrets, keyring)
                known[backend.name] = backend
                return route.with(backend)
            }
            models.append(model.with(routes: routes))
        }
    }

    private mutating func open(
        _ backend: Backend, _ secrets: [String: BackendSecret], _ keyring: SecretKeyring?
    ) -> Backend {
        guard !backend.settings.credentials.isEmpty, backend.outOfService == nil else { return backend }
        do throws(CredentialProblem) {
            return try backend.opened(by: keyring, secrets: secrets)
        } catch {
            faults.append(
                SnapshotFault(kind: "backend", name: backend.name, code: error.code, reason: error.description))
            return backend.withdrawn(because: error.description)
        }
    }
}
