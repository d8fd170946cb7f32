/// What `tollgate dev` serves from the engine simulator.
enum DemoCatalogue {
    /// The models that the plans in `pricing-plans/` price.
    static let models = ["sim-small", "sim-large", "sim-embed"]
}
