import Engines
import Identity

/// Models with their backends' credentials in clear. A backend whose credentials do not open is out of service, with
/// the reason; all others serve.
struct CredentialOpening {
    private(set) var models: [CatalogueModel] = []
    private(set) var faults: Set<ServiceFault> = []

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
        if let fault = backend.outOfService {
            faults.insert(fault)
            return backend
        }
        do throws(CredentialProblem) {
            return try backend.opened(by: keyring, secrets: secrets)
        } catch {
            let fault = ServiceFault(
                kind: .backend, name: backend.name, code: error.code, reason: error.description)
            faults.insert(fault)
            return backend.withdrawn(for: fault)
        }
    }
}
