public import Accounts
public import Billing
import CatalogueLanguage
public import Identity
public import Storage

/// What the API needs from the program around it.
public struct AdminServices: Sendable {
    /// The use cases: all that the API knows of the database.
    let billing: BillingService
    /// Real time.
    let now: @Sendable () -> Timestamp
    /// How long after a month's end its run waits for usage.
    let graceMilliseconds: Int64
    /// The program's own, for catalogues that name variables of it.
    private let environment: [String: String]
    /// The keys under which secrets are kept, read again each time, as they can be rotated; nil where there are none.
    private let secretKeyring: @Sendable () throws -> SecretKeyring?
    /// Prometheus text of `/metrics`.
    let metrics: @Sendable () -> String

    public init(
        database: Database, now: @escaping @Sendable () -> Timestamp, graceMilliseconds: Int64 = 0,
        environment: [String: String] = [:], secretKeyring: @escaping @Sendable () throws -> SecretKeyring? = { nil },
        metrics: @escaping @Sendable () -> String = { "" }
    ) {
        billing = BillingService(database, now: now)
        self.now = now
        self.graceMilliseconds = graceMilliseconds
        self.environment = environment
        self.secretKeyring = secretKeyring
        self.metrics = metrics
    }

    /// Looks at things for whoever calls.
    func look<Result: Sendable>(
        for call: Call, _ body: @Sendable (ReadSession) throws -> Result
    ) async throws -> Result {
        try await billing.read(by: call.requiredCaller, body)
    }

    /// Reads backends and models. Who calls the API did not set this process's variables.
    func catalogue(_ yaml: String) throws -> CatalogueDocument {
        try CatalogueDocument(yaml: yaml, environment: environment, variablesNeedHosts: true)
    }

    /// The keys as they are now; nil where there are none.
    func keyring() throws -> SecretKeyring? {
        do {
            return try secretKeyring()
        } catch {
            throw StorageError.conflict("the key of secrets cannot be used: \(error)")
        }
    }
}
