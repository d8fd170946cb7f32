import Accounts
import Engines
import Telemetry

/// What the gateway answers itself: its health, its metrics and the models of a key's tenant.
struct LocalAnswers {
    enum Answer {
        case refusal(APIError)
        case body(status: Int, type: String, bytes: [UInt8])
    }

    let shared: GatewayShared

    func answer(to route: Route, grant: KeyGrant?) -> Answer {
        switch route {
        case .health: return .body(status: 200, type: "application/json", bytes: Array(#"{"status":"ok"}"#.utf8))
        case .readiness:
            if shared.isDraining { return .refusal(.draining) }
            if !shared.journal.isAccepting || !shared.journal.hasRoom { return .refusal(.journalUnavailable) }
            return .body(status: 200, type: "application/json", bytes: Array(#"{"status":"ready"}"#.utf8))
        case .metrics:
            return .body(
                status: 200, type: "text/plain; version=0.0.4; charset=utf-8",
                bytes: Array(shared.registry.text().utf8))
        case .models: return .body(status: 200, type: "application/json", bytes: list(for: grant))
        case .model(let name):
            guard let grant, let model = shared.snapshots.current.catalogue.model(named: name),
                model.isAllowed(for: grant.tenantID)
            else { return .refusal(.modelNotFound(String(name.prefix(200)))) }
            guard shared.admission.sells(model, to: grant) else { return .refusal(.modelNotSold(name, model)) }
            var bytes: [UInt8] = []
            append(model, named: name, to: &bytes)
            return .body(status: 200, type: "application/json", bytes: bytes)
        case .prices: return prices(for: grant)
        case .inference, .native, .jobs: return .refusal(.malformedRequest)
        }
    }

    private func list(for grant: KeyGrant?) -> [UInt8] {
        var bytes = Array(#"{"object":"list","data":["#.utf8)
        var isFirst = true
        let admission = shared.admission
        for model in admission.snapshot.catalogue.models {
            guard let grant, model.isAllowed(for: grant.tenantID), admission.sells(model, to: grant) else { continue }
            if !isFirst { bytes.append(UInt8(ascii: ",")) }
            isFirst = false
            append(model, named: model.publicName, to: &bytes)
        }
        bytes.append(contentsOf: "]}".utf8)
        return bytes
    }

    private func append(_ model: CatalogueModel, named name: String, to bytes: inout [UInt8]) {
        bytes.append(contentsOf: #"{"id":"#.utf8)
        JSONString.append(name, to: &bytes)
        bytes.append(contentsOf: #","object":"model","created":"#.utf8)
        bytes.append(contentsOf: String(model.createdAtSeconds).utf8)
        bytes.append(contentsOf: #","owned_by":"tollgate","max_model_len":"#.utf8)
        bytes.append(contentsOf: String(model.contextTokensMax).utf8)
        bytes.append(UInt8(ascii: "}"))
    }
}
